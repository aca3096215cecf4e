"""A test of a backup from its start to its end, with a tool that does as the test says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import made_backup
import pytest
from made_backup import ID, SECRET, how, request, snapshot, tree, wait_for

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import (
    _agent,
    _control,
    _locks,
    _look,
    _memory,
    _sandbox,
    _work,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification._sample import digest
from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _folder, _unit
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine
from ansible_collections.keepwell.fleet.plugins.plugin_utils import payload
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import Look, Proof

FILES = {
    "a.txt": b"a" * 100,
    "b/c.txt": b"c" * 2000,
    "b/d.bin": os.urandom(5000),
    "old": b"o",
    "new\nline": b"n",
    "no\udcffutf8": b"n",
}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host with a repository of one snapshot that began an hour ago."""
    made_backup.install(tmp_path, monkeypatch.setattr)
    snapshot(tmp_path, FILES, time.time() - 3600)
    return tmp_path


def work_folder() -> Path:
    return Path(_folder.path(_control.CHORE, ID))


def verified(asked: dict[str, t.Any]) -> dict[str, t.Any]:
    """Start a test, let it run in this process, and return its state; the proof has to be one."""
    started = _control.start(Machine(), asked)
    assert started["started"], started
    _work.run(str(work_folder()))
    state = _control.status(Machine(), ID)
    assert state["phase"] == "ended"
    Proof.model_validate(state["proof"])
    assert state["text"] == state["proof"]["text"]
    return state


def sandboxes(host: Path) -> list[str]:
    folder = host / "keepwell" / "sandbox"
    return os.listdir(folder) if folder.exists() else []


def test_a_sample_comes_back_and_nothing_of_it_stays(host: Path) -> None:
    before = tree(host / "repository")
    state = verified(request(host, seed="s", sample={"files": 3, "bytes": 100000}))
    proof = state["proof"]
    assert (state["outcome"], proof["outcome"], proof["code"]) == ("done", "proven", "")
    assert (proof["files"], proof["unreferenced"], proof["identical"]) == (3, 3, 0)
    assert proof["dataset_bytes"] == sum(map(len, FILES.values()))
    assert len(proof["digests"]) == len(proof["paths"]) == 3
    assert proof["seconds"] <= proof["total_seconds"]
    assert proof["text"] == "3 files came back: 3 without anything to compare with."
    assert sandboxes(host) == []
    assert os.listdir(host / "memory") == []
    assert tree(host / "repository") == before


def test_a_full_restore_is_compared_with_the_live_files(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    live = host / "live"
    monkeypatch.setattr(made_backup.Made, "live", lambda _driver, path: f"{live}/{path.lstrip('/')}")
    for name, data in FILES.items():
        path = live / "srv" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (live / "srv" / "b" / "d.bin").write_bytes(b"new")
    (live / "srv" / "old").unlink()
    proof = verified(request(host, "full", local=True))["proof"]
    # The live files are as old as the test: whatever differs has changed since.
    assert (proof["outcome"], proof["identical"], proof["changed"], proof["unreferenced"]) == ("proven", 4, 1, 1)
    _folder.remove(_control.CHORE, ID)
    # In a snapshot of later they have not.
    (before,) = (host / "repository").glob("[0-9]*")
    late = host / "repository" / f"{time.time() + 60:.1f}"
    before.rename(late)
    (late / "srv" / "a.txt").write_bytes(b"b" * 100)
    (live / "srv" / "b" / "d.bin").write_bytes(FILES["b/d.bin"])
    proof = verified(request(host, "full", local=True))["proof"]
    assert (proof["outcome"], proof["code"]) == ("failed", "mismatch")
    why = "its content is not that of the live file, which has not changed since the snapshot"
    assert proof["mismatches"] == [{"path": "/srv/a.txt", "why": why}]
    assert (proof["files"], proof["identical"], proof["unreferenced"], proof["missing"]) == (6, 4, 1, [])
    assert sandboxes(host) == []


def test_the_ledger_knows_a_file_by_where_it_is_on_the_host(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made_backup.Made, "live", lambda _driver, path: f"/home{path}")
    kept = {"path": "/home/srv/old"}
    proof = verified(request(host, "sample", dataset={"canary": kept, "expected_paths": ["/home/srv/b"]}))["proof"]
    assert [path for path in proof["paths"] if not path.startswith("/home/srv/")] == []
    assert digest("/home/srv/a.txt") in proof["digests"]
    assert proof["canary"]["outcome"] == "wrong", "it was found, and is none"


@pytest.mark.parametrize(
    ("said", "outcome", "code", "ended"),
    [
        ({"restore": {"outcome": "damaged", "errors": ["pack 12 is not there"]}}, "damaged", "damaged", "done"),
        ({"restore": {"outcome": "error", "errors": ["strange"]}}, "error", "restore_failed", "failed"),
        ({"restore": {"outcome": "timeout"}}, "timeout", "timeout", "failed"),
        ({"restore": {"outcome": "locked"}}, "locked", "locked", "refused"),
        ({"status": "bad_password", "detail": "wrong password"}, "error", "bad_password", "failed"),
        ({"status": "no_repository", "detail": "gone"}, "error", "no_repository", "failed"),
        ({"status": "locked", "detail": "by host b"}, "locked", "locked", "refused"),
        ({"status": "damaged", "detail": "index"}, "damaged", "damaged", "done"),
        ({"writer": "borg create (process 7)"}, "refused", "writer", "refused"),
        ({"pick": "unexpected end", "check": {"outcome": "damaged"}}, "damaged", "damaged", "done"),
        ({"pick": "connection reset"}, "error", "no_listing", "failed"),
        ({"pick": "no", "restore": {"outcome": "damaged"}, "kind": "full"}, "damaged", "damaged", "done"),
        ({"pick": "no", "kind": "full"}, "error", "no_listing", "failed"),
    ],
)
def test_what_a_tool_says_becomes_an_outcome(
    host: Path, said: dict[str, t.Any], outcome: str, code: str, ended: str
) -> None:
    how(host, **said)
    state = verified(request(host, said.get("kind", "sample")))
    assert (state["proof"]["outcome"], state["proof"]["code"], state["outcome"]) == (outcome, code, ended)
    assert state["text"]
    assert sandboxes(host) == []


@pytest.mark.parametrize(
    ("kind", "said", "outcome"),
    [
        ("structure", {}, "proven"),
        ("subset", {}, "proven"),
        ("data", {"outcome": "damaged", "errors": ["pack 1"], "broken": ["1"]}, "damaged"),
        ("structure", {"outcome": "inconclusive"}, "inconclusive"),
        ("structure", {"outcome": "locked"}, "locked"),
        ("structure", {"outcome": "error"}, "error"),
    ],
)
def test_a_repository_is_read(host: Path, kind: str, said: dict[str, t.Any], outcome: str) -> None:
    how(host, check=said)
    more = {"part": 2, "parts": 13} if kind == "subset" else {}
    proof = verified(request(host, kind, **more))["proof"]
    assert (proof["kind"], proof["outcome"], proof["bytes"]) == (kind, outcome, 7)
    assert (proof["part"], proof["parts"]) == ((2, 13) if more else (None, None))
    assert proof["broken"] == said.get("broken", [])
    assert sandboxes(host) == []


def test_a_tool_without_parts_reads_all(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made_backup.Made, "PARTS", False)
    proof = verified(request(host, "subset", part=1, parts=3))["proof"]
    assert (proof["kind"], proof["part"]) == ("data", None)


def test_it_waits_for_a_backup_that_ends_in_time(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    how(host, writer="a backup")
    monkeypatch.setattr(time, "sleep", lambda _s: how(host))
    asked = request(host, limits={"runtime_s": 60, "lock_timeout_s": 30})
    assert verified(asked)["proof"]["outcome"] == "proven"


def test_two_verifiers_never_read_one_repository(host: Path) -> None:
    lock = _locks.RepositoryLock(made_backup.KEY)
    lock.take("another", 0)
    state = verified(request(host))
    assert (state["proof"]["outcome"], state["code"]) == ("locked", "locked")
    assert "another (process" in state["text"]
    lock.release()
    _folder.remove(_control.CHORE, ID)
    assert verified(request(host))["proof"]["outcome"] == "proven"


def test_another_chore_at_work_is_a_refusal_with_a_proof(host: Path) -> None:
    lock = _folder.Lock()
    lock.take("patching 01X")
    state = verified(request(host))
    lock.release()
    assert (state["outcome"], state["code"], state["proof"]["outcome"]) == ("refused", "host_locked", "refused")


def test_no_room_is_a_refusal_before_anything_is_restored(host: Path) -> None:
    state = verified(request(host, sandbox={"free_percent": 100.0}))
    assert (state["outcome"], state["code"], state["proof"]["outcome"]) == ("refused", "no_space", "refused")
    assert state["proof"]["files"] is None
    assert sandboxes(host) == []


def test_more_than_is_allowed_is_not_restored(host: Path) -> None:
    state = verified(request(host, "full", max_bytes=7000))
    assert (state["outcome"], state["code"]) == ("refused", "too_large")
    assert _agent.OPERATIONS["plan"](Machine(), request(host, "full", max_bytes=7000))["code"] == "too_large"
    _folder.remove(_control.CHORE, ID)
    assert verified(request(host, "full", max_bytes=7103))["proof"]["outcome"] == "proven"


@pytest.mark.parametrize(
    ("told", "outcome", "code", "words"),
    [
        ({"tables": 2}, "proven", "", "The database came back with 2 tables and answered 1 query."),
        ({"tables": 2, "errors": ["index x is wrong"]}, "failed", "database", "not sound. It says: index x is wrong"),
        ({"tables": None, "errors": ["it does not start"]}, "error", "not_opened", "could not be asked"),
        (
            {"tables": 1, "queries": [{"sql": "Q", "ok": False, "text": "no row"}]},
            "failed",
            "query",
            "'Q' with: no row",
        ),
    ],
)
def test_a_database_is_asked(
    host: Path, monkeypatch: pytest.MonkeyPatch, told: dict[str, t.Any], outcome: str, code: str, words: str
) -> None:
    answer = {"queries": [{"sql": "Q", "rows": 1, "value": "1", "ok": True, "text": ""}], "errors": [], "rows": 9}
    monkeypatch.setattr(made_backup.Made, "DATABASE", True)
    monkeypatch.setattr(made_backup.Made, "compare", lambda *_: {**answer, "bytes": 99, **told})
    proof = verified(request(host, "database"))["proof"]
    assert (proof["outcome"], proof["code"], proof["bytes"]) == (outcome, code, 99)
    assert words in proof["text"]
    assert proof["errors"] == told.get("errors", [])
    plan = _agent.OPERATIONS["plan"](Machine(), request(host, "database"))
    assert "throw-away server" in plan["steps"][0]


@pytest.mark.parametrize("kind", ["sample", "database", "nothing"])
def test_a_kind_that_a_driver_does_not_have_is_an_error(host: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(made_backup.Made, "DATABASE", kind == "sample")
    state = verified({**request(host), "kind": kind}) if kind != "nothing" else None
    if state is not None:
        assert (state["proof"]["outcome"], state["code"]) == ("error", "bad_request")
    assert "error" in _agent.answer({**request(host, kind), "operation": "plan"})


def test_a_second_start_attaches(host: Path) -> None:
    assert _control.start(Machine(), request(host))["started"]
    again = _control.start(Machine(), request(host, secrets={"X": "y" * 9}))
    assert (again["started"], again["attached"]) == (False, True)
    assert os.listdir(host / "memory") == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_sandbox_that_runs_full_is_told_and_emptied(host: Path) -> None:
    """The snapshot is larger than it says."""
    place = host / "place"
    place.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "none", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no right to mount here")
    try:
        how(host, say={"restore": f'set -- {place}/*/data; cat /dev/zero >"$1/fill"'}, restore={"outcome": "error"})
        state = verified(request(host, sandbox={"base": str(place)}))
        assert (state["proof"]["outcome"], state["code"]) == ("error", "sandbox_full")
        assert os.listdir(place) == []
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_restore_that_takes_too_much_room_is_ended(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sandbox, "is_short", lambda path, _asked: bool(list(Path(path).glob("data/srv/*"))))
    how(host, say={"restore": "exec sleep 60"})
    began = time.monotonic()
    state = verified(request(host, "full"))
    assert time.monotonic() - began < 30
    assert (state["proof"]["outcome"], state["code"], state["outcome"]) == ("error", "sandbox_full", "failed")
    assert sandboxes(host) == []


def test_half_of_what_must_stay_free_is_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def room(free: int, inodes: int) -> None:
        found = os.statvfs_result((1, 1, 1000, free, free, 1000, inodes, inodes, 0, 255))
        monkeypatch.setattr(_sandbox.os, "statvfs", lambda _path: found)

    room(80, 80)
    assert not _sandbox.is_short(str(tmp_path), {"free_percent": 15})
    room(70, 80)
    assert _sandbox.is_short(str(tmp_path), {"free_percent": 15})
    assert not _sandbox.is_short(str(tmp_path), {"free_percent": 10})
    room(80, 70)
    assert _sandbox.is_short(str(tmp_path), {"free_percent": 15}), "inodes"


# --- it is ended from outside


def restoring(host: Path, **more: t.Any) -> t.Any:
    """The program as a process of its own, in the middle of a restore that does not end."""
    how(host, say={"restore": "exec sleep 60"})
    asked = request(host, secrets={"RESTIC_PASSWORD": SECRET}, **more)
    assert _control.start(Machine(), asked)["started"]
    process = made_backup.start_apart(host)
    wait_for(lambda: sandboxes(host) and list((host / "keepwell" / "sandbox").glob("*/data/srv/*")))
    wait_for(lambda: _folder.load(str(work_folder()), "state.json")["command"])
    return process


def gone(pid: int) -> bool:
    return _folder.started(pid) is None


def test_what_is_terminated_cleans_up(host: Path) -> None:
    process = restoring(host)
    command = _folder.load(str(work_folder()), "state.json")["command"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    state = _control.status(Machine(), ID)
    assert (state["proof"]["outcome"], state["code"], state["outcome"]) == ("error", "interrupted", "failed")
    assert (sandboxes(host), os.listdir(host / "memory")) == ([], [])
    assert gone(command["pid"])


def test_what_takes_too_long_cleans_up(host: Path) -> None:
    process = restoring(host, limits={"runtime_s": 3, "lock_timeout_s": 0})
    assert process.wait(30) == 0
    state = _control.status(Machine(), ID)
    assert state["proof"]["outcome"] == "timeout"
    assert sandboxes(host) == []


@pytest.mark.parametrize("by", ["status", "leftovers", "next"])
def test_what_is_killed_is_cleaned_up_by_who_comes_next(host: Path, by: str) -> None:
    before = tree(host / "repository")
    process = restoring(host)
    command = _folder.load(str(work_folder()), "state.json")["command"]
    foreign = host / "keepwell" / "sandbox" / "somebody's"
    foreign.mkdir()
    (foreign / "file").write_text("stays")
    process.kill()
    process.wait()
    if by == "leftovers":
        answer = _agent.OPERATIONS["leftovers"](Machine(), {})
        assert [entry["id"] for entry in answer["removed"]] == [ID]
        assert (answer["left"], answer["foreign"]) == ([], [str(foreign)])
    elif by == "next":
        how(host)
        following = {**request(host), "id": "01VERIFICATION1"}
        assert _control.start(Machine(), following)["started"]
        _work.run(_folder.path(_control.CHORE, "01VERIFICATION1"))
        assert _control.status(Machine(), "01VERIFICATION1")["proof"]["outcome"] == "proven"
    state = _control.status(Machine(), ID)
    assert (state["outcome"], state["code"]) == ("failed", "interrupted")
    assert (state["proof"]["outcome"], state["proof"]["left"]) == ("error", "")
    assert sandboxes(host) == [foreign.name]
    assert not (work_folder() / "files").exists(), "the names of the client's files"
    assert os.listdir(host / "memory") == []
    assert (foreign / "file").read_text() == "stays"
    assert gone(command["pid"])
    assert tree(host / "repository").keys() == before.keys() | {"how.json"}


def test_a_folder_in_the_place_of_ours_is_not_removed(host: Path) -> None:
    process = restoring(host)
    process.kill()
    process.wait()
    (made,) = sandboxes(host)
    path = host / "keepwell" / "sandbox" / made
    path.rename(host / "moved")
    path.mkdir()
    (path / "precious").write_text("stays")
    state = _control.status(Machine(), ID)
    assert "it is not the folder that was made" in state["proof"]["left"]
    assert (path / "precious").read_text() == "stays"
    _control.recorded(Machine(), ID)
    assert _control.clean(Machine(), 0, time.time() + 10)["kept"] == [ID]


def test_what_ends_before_it_reads_its_secrets_leaves_none(host: Path) -> None:
    assert _control.start(Machine(), request(host, secrets={"RESTIC_PASSWORD": SECRET}))["started"]
    assert len(os.listdir(host / "memory")) == 1
    state = _control.status(Machine(), ID)
    assert (state["code"], os.listdir(host / "memory")) == ("interrupted", [])


# --- as the control node sends it


def test_what_is_sent_to_a_host_has_all_that_it_needs() -> None:
    program = payload.agent("backup_verification", {"operation": "unfinished"})
    done = subprocess.run([sys.executable, "-I", "-"], input=program, capture_output=True, check=True, cwd="/")
    answer = payload.read_answer(done.stdout.decode(), done.stderr.decode(), done.returncode)
    assert "work" in answer or answer["error"] == "needs_root"
    work = payload.work_program("backup_verification").rpartition("_work.run(")[0] + "print(_work.Verification.CHORE)"
    # Not as an argument: the kernel takes none of more than 128 KiB.
    done = subprocess.run([sys.executable, "-I", "-"], input=work.encode(), capture_output=True, check=True, cwd="/")
    assert done.stdout == b"backup_verification\n"


# --- secrets


def everything_below(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_secret_is_in_no_file_no_text_and_no_command_line(host: Path) -> None:
    quoting = "printf 'bad: %s' \"$RESTIC_PASSWORD\" >&2; printf 'out %s' \"$RESTIC_PASSWORD\"; "
    how(host, say={"list": quoting, "restore": quoting + "sleep 1"}, restore={"outcome": "error"})
    asked = request(host, secrets={"RESTIC_PASSWORD": SECRET})
    asked["dataset"]["credentials"] = {"environment": ["RESTIC_PASSWORD"]}
    assert _control.start(Machine(), asked)["started"]
    assert SECRET.encode() not in everything_below(host / "keepwell")
    process = made_backup.start_apart(host)
    command = wait_for(lambda: (_folder.load(str(work_folder()), "state.json") or {}).get("command"))
    assert command
    lines = []
    while process.poll() is None:
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                lines.append(entry.read_bytes().replace(b"\0", b" "))
            except OSError:
                continue
        time.sleep(0.05)
    assert any(b"sleep 1" in line for line in lines)
    assert not [line for line in lines if SECRET.encode() in line]
    state = _control.status(Machine(), ID)
    assert state["proof"]["errors"] == ["bad: [secret]"]
    assert state["proof"]["key_source"] == "environment"
    assert SECRET not in repr(state)
    assert "bad: [secret]" in state["log_tail"]
    assert SECRET.encode() not in everything_below(host / "keepwell")
    assert os.listdir(host / "memory") == []


def test_values_of_secrets_in_the_declaration_are_refused(host: Path) -> None:
    asked = request(host)
    asked["dataset"]["credentials"] = {"environment": {"RESTIC_PASSWORD": SECRET}}
    with pytest.raises(AgentError) as caught:
        _control.start(Machine(), asked)
    assert caught.value.code == "bad_request"
    assert SECRET not in caught.value.text
    assert not work_folder().exists()


def test_a_lacking_secret_is_an_error_that_names_it(host: Path) -> None:
    asked = request(host)
    asked["dataset"]["credentials"] = {"environment": ["RESTIC_PASSWORD"]}
    state = verified(asked)
    assert (state["proof"]["outcome"], state["code"]) == ("error", "bad_credentials")
    assert "RESTIC_PASSWORD" in state["text"]


# --- looking and planning


def test_a_look_writes_nothing_and_one_dataset_never_costs_another(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_look, "_LEAST_S", 0.3)
    other = host / "other"
    other.mkdir()
    snapshot(other, FILES, 1000.0)
    how(other, say={"list": "exec sleep 30"})
    before = tree(host / "repository"), tree(host / "keepwell")
    began = time.monotonic()
    found = _agent.OPERATIONS["look"](
        Machine(),
        {
            "datasets": [
                made_backup.dataset(other, id="slow"),
                made_backup.dataset(host, id="shop"),
                made_backup.dataset(host, id="odd", tool="unheard"),
            ],
            "budget_s": 3,
        },
    )["datasets"]
    assert time.monotonic() - began < 10
    for entry in found.values():
        Look.model_validate(entry)
    assert {name: entry["status"] for name, entry in found.items()} == {"slow": "ok", "shop": "ok", "odd": "error"}
    assert found["odd"]["detail"] == "unheard cannot be verified from this host."
    assert (tree(host / "repository"), tree(host / "keepwell")) == before
    assert os.listdir(host / "memory") == []


def test_a_cache_that_outgrows_its_share_of_memory_is_ended_and_gone_before_the_next_look(
    host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_memory, "room", lambda _machine: 2**20)
    other = host / "other"
    other.mkdir()
    how(other, say={"list": 'head -c 4000000 /dev/zero >"$HOME/cache"; exec sleep 60'})
    how(host, say={"list": f"du -s {host}/memory >{host}/taken"})
    began = time.monotonic()
    asked = [made_backup.dataset(other, id="large"), made_backup.dataset(host)]
    found = _agent.OPERATIONS["look"](Machine(), {"datasets": asked, "budget_s": 120})["datasets"]
    assert time.monotonic() - began < 30
    assert (found["large"]["status"], found["shop"]["status"]) == ("error", "ok")
    assert "outgrew the 1 MiB of memory" in found["large"]["detail"]
    assert int((host / "taken").read_text().split()[0]) < 1024
    assert os.listdir(host / "memory") == []


def test_a_cache_is_bounded_in_a_test_as_well(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_memory, "room", lambda _machine: 2**20)
    how(host, say={"pick": 'head -c 4000000 /dev/zero >"$HOME/cache"; exec sleep 60'})
    state = verified(request(host))
    assert (state["outcome"], state["code"], state["proof"]["outcome"]) == ("failed", "cache_full", "error")
    assert sandboxes(host) == []


def test_a_test_may_take_half_of_the_memory_where_nobody_says(host: Path) -> None:
    state = verified(request(host))
    assert state["outcome"] == "done"
    limits = _folder.load(str(work_folder()), "request.json")["limits"]
    total = int(Path("/proc/meminfo").read_text().split("MemTotal:")[1].split()[0]) * 1024
    assert limits["memory_bytes"] == total // 2


def test_what_was_asked_for_holds_and_a_program_that_it_ended_is_told(
    host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_unit, "starved", lambda _machine: True)
    how(host, restore={"outcome": "error", "errors": ["return code -9"]})
    asked = request(host, limits={"runtime_s": 60, "lock_timeout_s": 0, "memory_bytes": 64 << 20})
    state = verified(asked)
    assert (state["outcome"], state["code"]) == ("failed", "memory")
    assert "may take 64 MiB of memory: give it more (backup_verification_limits.memory_mb)" in state["text"]


def test_a_look_lets_the_work_of_the_host_go_first(host: Path) -> None:
    how(host, say={"list": f"nice > {host}/niceness"})
    _agent.OPERATIONS["look"](Machine(), {"datasets": [made_backup.dataset(host)]})
    assert int((host / "niceness").read_text()) == min(19, os.nice(0) + 10)


def test_a_driver_that_hangs_is_ended(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_look, "_GRACE_S", 0.5)
    monkeypatch.setattr(_look, "_LEAST_S", 0.3)
    monkeypatch.setattr(made_backup.Made, "list", lambda self: time.sleep(60))
    found = _agent.OPERATIONS["look"](Machine(), {"datasets": [made_backup.dataset(host)], "budget_s": 0.1})
    assert found["datasets"]["shop"]["status"] == "timeout"
    assert "did not answer within 0 s" in found["datasets"]["shop"]["detail"]


def test_a_plan_says_what_the_work_does_and_touches_nothing(host: Path) -> None:
    asked = request(host, seed="s", sample={"files": 2, "bytes": 100000})
    before = tree(host)
    plan = _agent.OPERATIONS["plan"](Machine(), asked)
    after = tree(host)
    assert {name: value[0] for name, value in before.items()} == {name: value[0] for name, value in after.items()}
    assert (plan["refused"], plan["files_count"], plan["total_files"]) == ("", 2, 6)
    assert plan["target"] == _sandbox.BASE
    assert plan["steps"][0].startswith("Restore 2 files (")
    proof = verified(asked)["proof"]
    assert sorted(proof["paths"]) == sorted(plan["files"])
    assert proof["bytes"] == plan["bytes"]


@pytest.mark.parametrize(
    ("said", "code"),
    [({"writer": "a backup"}, "writer"), ({"status": "bad_password"}, "bad_password"), ({"pick": "no"}, "no_listing")],
)
def test_a_plan_says_why_nothing_would_be_done(host: Path, said: dict[str, t.Any], code: str) -> None:
    how(host, **said)
    plan = _agent.OPERATIONS["plan"](Machine(), request(host))
    assert plan["code"] == code
    assert plan["refused"]
