# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A test of a backup from its start to its end, with a tool that does as the test says."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import made_backup
import pytest
from made_backup import ID, how, request, tree
from verification_host import FILES, sandboxes, verified

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import (
    _agent,
    _control,
    _locks,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification._sample import digest
from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _folder
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine
from ansible_collections.keepwell.fleet.plugins.plugin_utils import payload


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
def test_what_is_sent_to_a_host_has_all_that_it_needs() -> None:
    program = payload.agent("backup_verification", {"operation": "unfinished"})
    done = subprocess.run([sys.executable, "-I", "-"], input=program, capture_output=True, check=True, cwd="/")
    answer = payload.read_answer(done.stdout.decode(), done.stderr.decode(), done.returncode)
    assert "work" in answer or answer["error"] == "needs_root"
    work = payload.work_program("backup_verification").rpartition("_work.run(")[0] + "print(_work.Verification.CHORE)"
    # Not as an argument: the kernel takes none of more than 128 KiB.
    done = subprocess.run([sys.executable, "-I", "-"], input=work.encode(), capture_output=True, check=True, cwd="/")
    assert done.stdout == b"backup_verification\n"
