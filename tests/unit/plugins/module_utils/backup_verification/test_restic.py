"""The driver of restic against real repositories of two generations of restic."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
import repositories
from repositories import PASSWORD, flip, largest, run, same_content, source, tree

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _restic_text
from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification._restic import Restic
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._sources import Output


class Place:
    """A repository with one snapshot of web1, and the driver for it."""

    def __init__(self, folder: Path, program: str, saved: Path) -> None:
        self.folder = folder
        self.program = program
        self.repository = folder / "repository"
        self.source = saved
        self.env = {"RESTIC_PASSWORD": PASSWORD, "RESTIC_REPOSITORY": str(self.repository), "HOME": str(folder)}

    def call(self, *words: str, **more: t.Any) -> subprocess.CompletedProcess[str]:
        return run([self.program, *words, "--no-cache"], self.env, **more)

    def backup(self, *words: str, host: str = "web1") -> None:
        done = self.call("backup", str(self.source), "--host", host, *words)
        assert done.returncode == 0, done.stderr

    def driver(self, machine: Machine | None = None, password: str = PASSWORD, **more: t.Any) -> Restic:
        dataset = {"id": "files", "tool": "restic", "repository": str(self.repository), "hosts": ["web1"], **more}
        dataset.setdefault("options", {"program": self.program})
        folder = self.folder / "work"
        return Restic(repositories.tools(folder, Restic, {"RESTIC_PASSWORD": password}, machine), dataset)

    def newest(self) -> str:
        return str(json.loads(self.call("snapshots", "--json", "--no-lock").stdout)[-1]["id"])

    def lock(self) -> subprocess.Popen[bytes]:
        """A backup that runs until it is told otherwise."""
        process = subprocess.Popen(
            [self.program, "backup", "--stdin", "--no-cache"],
            env={"PATH": os.environ["PATH"], **self.env},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 30
        # A lock that is still being written has another name.
        while time.monotonic() < end and not [
            path for path in (self.repository / "locks").iterdir() if len(path.name) == 64
        ]:
            time.sleep(0.05)
        return process


@pytest.fixture(scope="module", params=repositories.GENERATIONS)
def original(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Made once: restic takes most of a second to derive its key, each time it is called."""
    program = repositories.program("restic", request.param)
    folder = tmp_path_factory.mktemp("original")
    made = Place(folder, program, source(folder / "source"))
    assert made.call("init").returncode == 0
    made.backup()
    return made


@pytest.fixture
def place(original: Place, tmp_path: Path) -> Place:
    shutil.copytree(original.repository, tmp_path / "repository")
    shutil.copytree(original.source, tmp_path / "source", symlinks=True)
    return Place(tmp_path, original.program, original.source)


def methods(driver: Restic, parts: int = 2) -> list[str]:
    """Outcomes of structure, of both halves together, and of data."""
    halves = [driver.check("subset", part, parts, None)["outcome"] for part in range(1, parts + 1)]
    whole = [driver.check(method, 1, 1, None)["outcome"] for method in ("structure", "data")]
    return [whole[0], max(halves, key=lambda outcome: outcome != "ok"), whole[1]]


def test_a_healthy_repository_is_told_checked_restored_and_left_as_it_was(place: Place) -> None:
    before = tree(place.repository)
    driver = place.driver(
        sources=[str(place.source)],
        expected_paths=[
            f"{place.source}/data0",
            f"{place.source}/cache",
            f"{place.source}/none",
            f"{place.source}/*.db",
        ],
        unwanted_paths=[f"{place.source}/cache", f"{place.source}/*.tmp"],
    )
    look = driver.list()
    assert (look["status"], look["detail"]) == ("ok", "")
    assert look["repository"]["location"] == "local"
    assert look["repository"]["encrypted"] is True
    assert look["repository"]["id"] == json.loads(place.call("cat", "config", "--no-lock").stdout)["id"]
    assert look["repository"]["free_bytes"] > 0
    assert look["repository"]["same_device"] is True
    assert (look["locks"], look["writer"]) == ([], "")
    assert look["missing"] == [f"{place.source}/none", f"{place.source}/*.db"]
    assert look["unwanted"] == [f"{place.source}/cache"]
    [snapshot] = look["snapshots"]
    assert (snapshot["host"], snapshot["paths"], snapshot["complete"]) == ("web1", [str(place.source)], None)
    assert abs(snapshot["time"] - time.time()) < 120
    assert snapshot["bytes"] == sum(
        path.lstat().st_size for path in place.source.rglob("*") if path.is_file() and not path.is_symlink()
    )
    assert (snapshot["files"] is None) == (look["tool"]["version"] < "0.17")

    files: dict[str, tuple[int, float]] = {}
    assert driver.pick(snapshot["id"], lambda path, size, mtime: files.update({path: (size, mtime)})).rc == 0
    assert len(files) == 10
    assert files[f"{place.source}/data1"] == (
        150_000,
        pytest.approx((place.source / "data1").stat().st_mtime, abs=0.001),
    )

    assert methods(driver) == ["ok", "ok", "ok"]
    packs = sum(path.stat().st_size for path in (place.repository / "data").rglob("*") if path.is_file())
    assert driver.check("data", 1, 1, None)["read_bytes"] == packs
    assert sum(driver.check("subset", part, 3, None)["read_bytes"] for part in (1, 2, 3)) == packs

    whole = place.folder / "whole"
    whole.mkdir()
    assert driver.restore(snapshot["id"], None, str(whole)) == {"outcome": "ok", "errors": [], "files": None}
    assert same_content(place.source, Path(f"{whole}{place.source}"))
    assert tree(place.repository) == before


def test_files_with_odd_names_are_restored_and_no_others(place: Place) -> None:
    driver, target = place.driver(), place.folder / "target"
    target.mkdir()
    names: list[str] = []
    driver.pick(place.newest(), lambda path, _size, _mtime: names.append(path))
    odd = [name for name in names if Path(name).name in ("f?.txt", "back\\slash", "new\nline", "bad\ufffd\ufffd")]
    assert len(odd) == 4
    restored = driver.restore(place.newest(), odd, str(target))
    assert restored["outcome"] == "ok"
    contents = {Path(name).name: Path(path).read_text() for name, path in restored["files"].items()}
    assert contents == {
        "f?.txt": "question",
        "back\\slash": "backslash",
        "new\nline": "line",
        "bad\ufffd\ufffd": "bytes",
    }
    assert len([path for path in target.rglob("*") if path.is_file()]) == 4
    many = [f"{place.source}/{'x' * 150}{number}" for number in range(1000)] + [f"{place.source}/data0"]
    assert driver.restore(place.newest(), many, str(target)) == {"outcome": "ok", "errors": [], "files": None}
    assert Path(f"{target}{place.source}/data0").is_file()


def test_a_flipped_bit_is_seen_by_reading_and_by_no_list(place: Place) -> None:
    flip(largest(place.repository / "data"))
    before, driver = tree(place.repository), place.driver()
    assert driver.list()["status"] == "ok"
    assert methods(driver) == ["ok", "damaged", "damaged"]
    found = driver.check("data", 1, 1, None)
    assert found["broken"] == [largest(place.repository / "data").name]
    assert found["errors"]
    target = place.folder / "target"
    target.mkdir()
    assert driver.restore(place.newest(), None, str(target))["outcome"] == "damaged"
    assert tree(place.repository) == before


def test_a_missing_pack_is_seen_by_its_absence(place: Place) -> None:
    pack = largest(place.repository / "data")
    pack.unlink()
    before, driver = tree(place.repository), place.driver()
    assert driver.list()["status"] == "ok"
    found = driver.check("structure", 1, 1, None)
    assert (found["outcome"], found["broken"]) == ("damaged", [pack.name])
    assert tree(place.repository) == before


def test_a_restore_from_a_missing_pack_says_so_or_runs_out_of_time(place: Place) -> None:
    largest(place.repository / "data").unlink()
    target = place.folder / "target"
    target.mkdir()
    driver = place.driver()
    driver.tools.commands._end = time.monotonic() + 5
    # Restic tries again and again.
    restored = driver.restore(place.newest(), [f"{place.source}/data0"], str(target))
    assert restored["outcome"] in ("timeout", "damaged")
    assert restored["errors"]
    assert time.monotonic() - driver.tools.commands._end < 25


@pytest.mark.parametrize("what", ["config", "keys", "snapshots", "index"])
def test_damaged_metadata_is_damage(place: Place, what: str) -> None:
    place.backup()
    newest = place.repository / what
    flip(newest if what == "config" else sorted(newest.iterdir())[0])
    driver = place.driver()
    assert driver.check("structure", 1, 1, None)["outcome"] == "damaged"
    look = driver.list()
    assert look["status"] == ("ok" if what == "index" else "damaged")
    if what == "snapshots":
        assert len(look["snapshots"]) == 1


def test_a_wrong_password_and_a_missing_repository_are_told_apart(place: Place) -> None:
    before = tree(place.repository)
    wrong = place.driver(password="battery staple")
    look = wrong.list()
    assert (look["status"], look["snapshots"]) == ("bad_password", [])
    assert "wrong password or no key found" in look["detail"]
    assert wrong.check("structure", 1, 1, None)["outcome"] == "error"
    assert place.driver(password="").list()["status"] == "bad_password"
    assert tree(place.repository) == before
    place.repository.rename(place.folder / "elsewhere")
    look = place.driver().list()
    assert look["status"] == "no_repository"
    assert place.driver().check("structure", 1, 1, None)["outcome"] == "error"
    place.repository.mkdir()
    assert place.driver().list()["status"] == "no_repository"
    assert not list(place.repository.iterdir())
    missing = place.driver(options={"program": "/nonexistent/restic"}).list()
    assert missing["status"] == "absent"


def test_a_running_backup_is_a_writer_and_a_dead_one_is_a_stale_lock(place: Place) -> None:
    backup = place.lock()
    try:
        driver = place.driver()
        look = driver.list()
        [lock] = look["locks"]
        assert (lock["stale"], lock["exclusive"]) == (False, False)
        assert f"process {backup.pid}" in look["writer"]
        assert methods(driver) == ["ok", "ok", "ok"]
    finally:
        backup.kill()
        backup.wait()
    before, driver = tree(place.repository), place.driver()
    look = driver.list()
    assert ([lock["stale"] for lock in look["locks"]], look["writer"]) == ([True], "")
    assert methods(driver) == ["ok", "ok", "ok"]
    assert tree(place.repository) == before


def test_a_repository_elsewhere_is_asked_through_restic_alone(place: Place) -> None:
    backup = place.lock()
    backup.kill()
    backup.wait()
    before, driver = tree(place.repository), place.driver()
    driver._place.update(location="sftp", path=None, free_bytes=None)
    look = driver.list()
    assert (look["status"], len(look["snapshots"]), look["repository"]["path"]) == ("ok", 1, None)
    assert [lock["stale"] for lock in look["locks"]] == [True]
    found = driver.check("structure", 1, 1, None)
    assert (found["outcome"], found["read_bytes"]) == ("ok", None)
    assert (place.folder / "work" / "scratch" / "cache" / "restic").is_dir()
    assert tree(place.repository) == before


def test_two_hosts_in_one_repository_are_two_groups(place: Place) -> None:
    place.backup("--tag", "nightly", host="web2")
    place.backup("--tag", "nightly", host="web2")
    look = place.driver().list()
    assert [entry["host"] for entry in look["snapshots"]] == ["web1"]
    assert [(group["host"], group["count"]) for group in look["groups"]] == [("web2", 2), ("web1", 1)]
    assert look["groups"][0]["latest"] > look["groups"][1]["latest"]
    assert len(place.driver(hosts=[]).list()["snapshots"]) == 3
    assert len(place.driver(hosts=[], tags=["nightly"]).list()["snapshots"]) == 2
    assert place.driver(sources=["/somewhere/else"]).list()["snapshots"] == []


def test_an_incomplete_snapshot_is_told_by_its_job(place: Place) -> None:
    class Host(Machine):
        """A host whose systemd remembers how the job ended."""

        status = "3"

        def run(self, argv: t.Any, **more: t.Any) -> Output:
            if argv[0] != "systemctl":
                return t.cast(Output, super().run(argv, **more))
            if argv[-1].endswith(".timer"):
                return Output("ok", 0, "Unit=backup.service\n")
            clock = time.strftime("%a %Y-%m-%d %H:%M:%S UTC", time.gmtime())
            words = f"ExecMainStatus={self.status}\nExecMainStartTimestamp={clock}\nExecMainExitTimestamp={clock}\n"
            return Output("ok", 0, words)

    place.source = place.folder / "source"
    place.program = str(shutil.copy(place.program, place.folder / "restic"))
    os.chmod(place.source / "data0", 0)
    nobody = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    if nobody:
        for path in [place.folder, *place.folder.rglob("*")]:
            os.chown(path, 65534, 65534, follow_symlinks=False)
        for parent in place.folder.parents[:-1]:
            if parent.owner() == "root" and not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)
    done = place.call("backup", str(place.source), "--host", "web1", **nobody)
    assert done.returncode == 3, done.stderr
    machine = Host(time.monotonic() + 300)
    assert [entry["complete"] for entry in place.driver(machine).list()["snapshots"]] == [None, None]
    told = place.driver(machine, jobs=["backup.timer"]).list()["snapshots"]
    assert [entry["complete"] for entry in told] == [None, False]
    machine.status = "0"
    assert place.driver(machine, jobs=["backup.service"]).list()["snapshots"][-1]["complete"] is None


def test_what_a_prune_explains_is_no_damage(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = place.driver()
    before = driver._inventory()
    place.backup()
    assert driver._gone(before) is False
    assert place.call("forget", "--prune", "--keep-last", "1", "--group-by", "").returncode == 0
    assert driver._gone(before) is True
    largest(place.repository / "data").unlink()
    monkeypatch.setattr(driver, "_gone", lambda _before: True)
    assert driver.check("structure", 1, 1, None)["outcome"] == "inconclusive"


def test_a_verifier_that_is_killed_leaves_nothing_in_the_repository(place: Place) -> None:
    place.source = place.folder / "source"
    (place.source / "more").write_bytes(os.urandom(20_000_000))
    place.backup()
    before = tree(place.repository)
    for delay in (0.05, 0.2, 0.5):
        verifier = place.driver()
        argv = verifier._argv(["check", "--read-data"])
        process = subprocess.Popen(
            argv,
            env={"PATH": os.environ["PATH"], **place.env, "TMPDIR": str(place.folder)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(delay)
        if delay == 0.2:
            during = place.call("backup", str(place.source), "--host", "web1")
            assert during.returncode == 0, during.stderr
            before = tree(place.repository)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert tree(place.repository) == before
    place.backup()


def test_no_secret_is_on_a_command_line_or_in_the_log(place: Place) -> None:
    driver = place.driver()
    driver.list()
    driver.check("data", 1, 1, None)
    assert PASSWORD not in repr(repositories.ISSUED)
    log = (place.folder / "work" / "words" / "log").read_text()
    assert "check" in log
    assert PASSWORD not in log
    assert "chunker_polynomial" not in log


@pytest.mark.parametrize(
    ("output", "status"),
    [
        (Output("ok", 11, "", '{"message_type":"exit_error","code":11,"message":"Fatal: locked"}'), "locked"),
        (Output("ok", 1, "", "unable to create lock in backend: repository is already locked by PID 1"), "locked"),
        (Output("ok", 1, "", "Fatal: unable to open config file: open /r/config: permission denied"), "denied"),
        (Output("ok", 10, "", "Fatal: repository does not exist: stat /r: permission denied"), "denied"),
        (Output("ok", 1, "", "Fatal: unable to open repository at sftp:x: unable to start the sftp session"), "error"),
        (Output("ok", 77, "", "something new"), "error"),
        (Output("ok", 130, "", ""), "error"),
        (Output("timeout"), "timeout"),
    ],
)
def test_what_went_wrong_is_told_by_codes_and_by_words(output: Output, status: str) -> None:
    assert _restic_text.trouble(output)[0] == status


def test_success_has_to_be_said() -> None:
    assert _restic_text.check(Output("ok", 0, "", ""))[0] == "error"
    assert _restic_text.check(Output("ok", 0, '{"message_type":"summary","num_errors":2}\n'))[0] == "error"
    assert _restic_text.check(Output("timeout"))[0] == "error"
    assert _restic_text.restore(Output("ok", 0, "There were 2 errors\n", "ignoring error for /a: x\n"))[0] == "damaged"
    assert (
        _restic_text.restore(Output("ok", 1, "", "ignoring error for /a: write /t/a: no space left on device"))[0]
        == "error"
    )
