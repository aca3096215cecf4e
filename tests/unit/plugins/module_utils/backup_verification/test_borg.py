"""The driver of Borg against real repositories of Borg 1.2 and 1.4, in folders and behind (a stand-in for) ssh."""

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

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _borg_shadow, _borg_text
from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification._borg import Borg
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine


class Place:
    """A repository with one archive of this host, and the driver for it."""

    def __init__(self, folder: Path, program: str, saved: Path) -> None:
        self.folder = folder
        self.program = program
        self.repository = folder / "repository"
        self.source = saved
        self.env = {
            "BORG_PASSPHRASE": PASSWORD,
            "BORG_BASE_DIR": str(folder / "owner"),
            "BORG_REPO": str(self.repository),
            "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
            "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
        }

    def call(self, *words: str, **more: t.Any) -> subprocess.CompletedProcess[str]:
        return run([self.program, *words], self.env, **more)

    def backup(self, name: str, *words: str) -> None:
        done = self.call("create", *words, f"::{name}", str(self.source))
        assert done.returncode == 0, done.stderr

    def driver(self, password: str = PASSWORD, machine: Machine | None = None, **more: t.Any) -> Borg:
        dataset = {"id": "files", "tool": "borg", "repository": str(self.repository), "options": {}, **more}
        dataset["options"] = {"program": self.program, **dataset["options"]}
        secrets = {
            **({"BORG_PASSPHRASE": password} if password else {}),
            **({"BORG_RSH": str(self.ssh())} if "ssh:" in dataset["repository"] else {}),
        }
        return Borg(repositories.tools(self.folder / "work", Borg, secrets, machine), dataset)

    def remote(self, **more: t.Any) -> Borg:
        return self.driver(repository=f"ssh://backup.example{self.repository}", **more)

    def ssh(self) -> Path:
        """A program that does what ssh would do, on this machine."""
        script = self.folder / "ssh"
        script.write_text(f'#!/bin/sh\nshift\nPATH={Path(self.program).parent}:$PATH exec "$@"\n')
        script.chmod(0o700)
        return script


@pytest.fixture(scope="module", params=repositories.GENERATIONS)
def original(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    program = repositories.program("borg", request.param)
    folder = tmp_path_factory.mktemp("original")
    made = Place(folder, program, source(folder / "source"))
    done = made.call("init", "--encryption", "repokey")
    assert done.returncode == 0, done.stderr
    made.backup("web1-first", "--exclude", "*.tmp")
    return made


@pytest.fixture
def place(original: Place, tmp_path: Path) -> Place:
    shutil.copytree(original.repository, tmp_path / "repository")
    shutil.copytree(original.folder / "owner", tmp_path / "owner")
    return Place(tmp_path, original.program, original.source)


def outcomes(driver: Borg, parts: int = 2) -> list[str]:
    """Outcomes of structure, of all parts together, and of data."""
    subsets = [driver.check("subset", part, parts, None)["outcome"] for part in range(1, parts + 1)]
    whole = [driver.check(method, 1, 1, None)["outcome"] for method in ("structure", "data")]
    return [whole[0], max(subsets, key=lambda outcome: outcome != "ok"), whole[1]]


def test_a_healthy_repository_is_told_checked_restored_and_left_as_it_was(place: Place) -> None:
    before = tree(place.repository)
    driver = place.driver(
        hosts=[os.uname().nodename],
        sources=[str(place.source)],
        expected_paths=[f"{place.source}/data0", f"{place.source}/none", f"{place.source}/*.db"],
        unwanted_paths=[f"{place.source}/cache", f"{place.source}/*.tmp"],
    )
    look = driver.list()
    assert (look["status"], look["detail"]) == ("ok", "")
    repository = look["repository"]
    assert (repository["location"], repository["encrypted"], repository["keyfile"]) == ("local", True, False)
    assert (repository["append_only"], len(repository["id"])) == (None, 64)
    assert (look["locks"], look["writer"]) == ([], "")
    assert look["missing"] == [f"{place.source}/none", f"{place.source}/*.db"]
    assert look["unwanted"] == [f"{place.source}/cache"]
    [snapshot] = look["snapshots"]
    assert (snapshot["id"], snapshot["paths"]) == ("web1-first", [str(place.source)])
    assert (snapshot["excludes"], snapshot["complete"], snapshot["errors"]) == (["*.tmp"], None, 0)
    # Borg's times are without a zone; every command here runs in UTC.
    assert abs(snapshot["time"] - time.time()) < 600
    regular = [path for path in place.source.rglob("*") if path.is_file() and not path.is_symlink()]
    assert (snapshot["bytes"], snapshot["files"]) == (sum(path.stat().st_size for path in regular), len(regular))

    files: dict[str, tuple[int, float]] = {}
    assert driver.pick("web1-first", lambda path, size, mtime: files.update({path: (size, mtime)})).rc == 0
    assert len(files) == len(regular)
    data = f"{place.source}/data1".lstrip("/")
    assert files[data] == (150_000, pytest.approx((place.source / "data1").stat().st_mtime, abs=0.001))
    assert driver.live(data) == f"{place.source}/data1"

    assert outcomes(driver) == ["ok", "ok", "ok"]
    segments = sum(path.stat().st_size for path in (place.repository / "data").rglob("*") if path.is_file())
    assert driver.check("data", 1, 1, None)["read_bytes"] == segments
    assert sum(driver.check("subset", part, 2, None)["read_bytes"] for part in (1, 2)) == segments
    # The schedule asks for nine parts by default, of which a small repository fills but a few.
    parts = [driver.check("subset", part, 9, None) for part in range(1, 10)]
    assert {answer["outcome"] for answer in parts} == {"ok"}, parts
    assert sum(answer["read_bytes"] for answer in parts) == segments

    target = place.folder / "whole"
    target.mkdir()
    assert driver.restore("web1-first", None, str(target)) == {"outcome": "ok", "errors": [], "files": None}
    assert same_content(place.source, Path(f"{target}{place.source}"))
    assert tree(place.repository) == before


def test_files_with_odd_names_are_restored_and_no_others(place: Place) -> None:
    driver, target = place.driver(), place.folder / "target"
    target.mkdir()
    names: list[str] = []
    driver.pick("web1-first", lambda path, _size, _mtime: names.append(path))
    odd = [name for name in names if Path(name).name in ("f?.txt", "back\\slash", "new\nline", "bad??")]
    assert len(odd) == 4
    restored = driver.restore("web1-first", odd, str(target))
    assert restored["outcome"] == "ok"
    contents = {Path(name).name: Path(path).read_text() for name, path in restored["files"].items()}
    assert contents == {"f?.txt": "question", "back\\slash": "backslash", "new\nline": "line", "bad??": "bytes"}
    assert len([path for path in target.rglob("*") if path.is_file()]) == 4


def test_a_flipped_bit_is_seen_by_reading_and_by_no_list(place: Place) -> None:
    segment = largest(place.repository / "data")
    flip(segment)
    before, driver = tree(place.repository), place.driver()
    assert driver.list()["status"] == "ok"
    assert outcomes(driver) == ["ok", "damaged", "damaged"]
    found = driver.check("data", 1, 1, None)
    assert found["broken"] == [f"segment {segment.name}"]
    assert "checksum mismatch" in found["errors"][0]
    target = place.folder / "target"
    target.mkdir()
    assert driver.restore("web1-first", None, str(target))["outcome"] == "damaged"
    assert tree(place.repository) == before


@pytest.mark.parametrize("harm", ["missing", "truncated", "no commit"])
def test_segments_that_are_missing_or_cut_off_are_seen_by_all(place: Place, harm: str) -> None:
    segment = largest(place.repository / "data")
    if harm == "no commit":
        segment = max(segment.parent.iterdir(), key=lambda path: int(path.name))
    if harm == "truncated":
        os.truncate(segment, segment.stat().st_size // 2)
    else:
        segment.unlink()
    before, driver = tree(place.repository), place.driver()
    for method in ("structure", "subset", "data"):
        found = driver.check(method, 1, 2, None)
        assert found["outcome"] == "damaged", method
        assert f"segment {segment.name}" in found["broken"][0]
    if harm != "no commit":
        target = place.folder / "target"
        target.mkdir()
        assert driver.restore("web1-first", None, str(target))["outcome"] == "damaged"
    assert tree(place.repository) == before


def test_a_damaged_index_is_damage(place: Place) -> None:
    flip(next(place.repository.glob("index.*")))
    before, driver = tree(place.repository), place.driver()
    assert driver.check("data", 1, 1, None)["outcome"] == "damaged"
    assert driver.list()["status"] == "ok"
    assert tree(place.repository) == before


def test_every_segment_is_in_one_part_and_parts_are_alike() -> None:
    parts = [_borg_shadow.part_of(number, 12) for number in range(0, 4000, 4)]
    assert set(parts) == set(range(1, 13))
    assert max(parts.count(part) for part in range(1, 13)) < 2 * len(parts) / 12


def test_a_wrong_password_and_a_missing_repository_are_told_apart(place: Place) -> None:
    before = tree(place.repository)
    for driver in (place.driver("battery staple"), place.remote(password="battery staple")):
        look = driver.list()
        assert look["status"] == "bad_password"
        assert "incorrect" in look["detail"]
        assert driver.check("structure", 1, 1, None)["outcome"] == "error"
    assert tree(place.repository) == before
    place.repository.rename(place.folder / "elsewhere")
    for driver in (place.driver(), place.remote()):
        assert driver.list()["status"] == "no_repository"
        assert driver.check("structure", 1, 1, None)["outcome"] == "error"
    place.repository.mkdir()
    assert place.driver().list()["status"] == "no_repository"
    assert not list(place.repository.iterdir())
    assert place.driver(options={"program": "/nonexistent/borg"}).list()["status"] == "absent"


def test_locks_are_told_and_keep_nobody_out(place: Place) -> None:
    here = os.uname().nodename
    ended = subprocess.Popen(["true"])
    ended.wait()
    folder = place.repository / "lock.exclusive"
    folder.mkdir()
    for name, stale in (
        (f"{here}@1.{os.getpid()}-0", False),
        (f"{here}@1.{ended.pid}-0", True),
        ("other@1.42-1", False),
    ):
        lock = folder / name
        lock.touch()
        before, driver = tree(place.repository), place.driver()
        look = driver.list()
        assert look["status"] == "ok"
        assert [entry["stale"] for entry in look["locks"]] == [stale]
        assert bool(look["writer"]) is not stale
        assert driver.check("subset", 1, 2, None)["outcome"] == "ok"
        assert tree(place.repository) == before
        lock.unlink()
    folder.rmdir()
    (place.repository / "lock.roster").write_text(json.dumps({"shared": [[f"{here}@1", os.getpid(), 0]]}))
    look = place.driver().list()
    assert [(lock["exclusive"], lock["stale"]) for lock in look["locks"]] == [(False, False)]
    assert look["writer"] == ""


def test_a_lock_that_borg_itself_holds_is_a_writer_until_it_is_dead(place: Place) -> None:
    held = subprocess.Popen(
        [place.program, "with-lock", str(place.repository), "sleep", "60"],
        env={"PATH": os.environ["PATH"], **place.env},
        start_new_session=True,
    )
    try:
        end = time.monotonic() + 30
        while not list(place.repository.glob("lock.exclusive/*")) and time.monotonic() < end:
            time.sleep(0.05)
        [lock] = place.driver()._locks()
        assert (lock["exclusive"], lock["stale"]) == (True, False)
        assert f"process {held.pid} on {os.uname().nodename}" in lock["who"]
    finally:
        os.killpg(held.pid, signal.SIGKILL)
        held.wait()
    before = tree(place.repository)
    [lock] = place.driver()._locks()
    assert (lock["exclusive"], lock["stale"]) == (True, True)
    assert place.driver().check("subset", 1, 2, None)["outcome"] == "ok"
    assert tree(place.repository) == before


def test_archives_of_a_dataset_are_chosen_by_host_name_and_path(place: Place) -> None:
    place.backup("web2-first")
    assert len(place.driver().list()["snapshots"]) == 2
    assert [entry["id"] for entry in place.driver(options={"archives": "web2-*"}).list()["snapshots"]] == ["web2-first"]
    assert place.driver(hosts=["dead"]).list()["snapshots"] == []
    assert place.driver(sources=["/somewhere/else"]).list()["snapshots"] == []
    [group] = place.driver(hosts=["dead"]).list()["groups"]
    assert (group["count"], group["paths"]) == (2, [str(place.source)])


@pytest.mark.parametrize("mode", ["none", "keyfile"])
def test_encryption_and_the_place_of_its_key_are_told(place: Place, mode: str) -> None:
    place.repository = place.folder / mode
    place.env["BORG_REPO"] = str(place.repository)
    assert place.call("init", "--append-only", "--encryption", mode).returncode == 0
    place.backup("one")
    driver = place.driver()
    driver._given = {"BORG_KEYS_DIR": str(place.folder / "owner" / ".config" / "borg" / "keys")}
    look = driver.list()
    repository = look["repository"]
    assert look["status"] == "ok", look["detail"]
    assert (repository["encrypted"], repository["keyfile"]) == (mode == "keyfile", mode == "keyfile")
    assert repository["append_only"] is True


def test_a_repository_behind_ssh_is_read_and_left_as_it_was(place: Place) -> None:
    place.backup("web1-second")
    before, driver = tree(place.repository), place.remote()
    look = driver.list()
    assert (look["status"], look["repository"]["location"], len(look["snapshots"])) == ("ok", "ssh", 2)
    assert outcomes(driver, 2) == ["ok", "ok", "ok"]
    assert "whole archives" in driver.check("subset", 1, 2, None)["note"]
    target = place.folder / "target"
    target.mkdir()
    assert driver.restore("web1-second", [f"{place.source}/data0".lstrip("/")], str(target))["outcome"] == "ok"
    assert Path(f"{target}{place.source}/data0").stat().st_size == 150_000
    assert tree(place.repository) == before
    flip(largest(place.repository / "data"))
    before = tree(place.repository)
    assert outcomes(driver, 2) == ["ok", "damaged", "damaged"]
    assert tree(place.repository) == before


def test_a_verifier_that_is_killed_leaves_nothing_and_backups_go_on(place: Place) -> None:
    place.source = source(place.folder / "source")
    (place.source / "more").write_bytes(os.urandom(20_000_000))
    place.backup("large")
    env = {"PATH": os.environ["PATH"], "TZ": "UTC"}
    for delay in (0.4, 0.8):
        driver = place.driver()
        before = tree(place.repository)
        assert driver._build(1, 1) is None
        argv = [place.program, "check", "--verify-data", driver._shadow.folder]
        process = subprocess.Popen(argv, env={**env, **driver._env(), "BORG_PASSPHRASE": PASSWORD})
        time.sleep(delay)
        process.kill()
        process.wait()
        assert tree(place.repository) == before
        process = subprocess.Popen(argv, env={**env, **driver._env(), "BORG_PASSPHRASE": PASSWORD})
        place.backup(f"during-{delay}")
        process.wait()
        # What the killed one left in the shadow stops nobody.
        assert driver.check("data", 1, 1, None)["outcome"] == "ok"


def test_an_index_that_a_crash_left_behind_is_made_anew_in_the_shadow_alone(place: Place) -> None:
    place.backup("second")
    number = max(int(path.suffix[1:]) for path in place.repository.glob("index.*"))
    for kind in ("index", "hints", "integrity"):
        (place.repository / f"{kind}.{number}").unlink()
    before = tree(place.repository)
    assert [entry["id"] for entry in place.driver().list()["snapshots"]] == ["web1-first", "second"]
    assert place.driver().check("data", 1, 1, None)["outcome"] == "ok"
    assert tree(place.repository) == before


def test_an_index_that_would_fill_the_scratch_is_not_copied(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    index = next(place.repository.glob("index.*")).stat().st_size
    free = os.statvfs_result((1, 1, index, index, index, 9, 9, 9, 0, 255))
    monkeypatch.setattr(_borg_shadow.os, "statvfs", lambda _path: free)
    driver = place.driver()
    look = driver.list()
    assert (look["status"], look["snapshots"]) == ("error", [])
    assert "only half may be taken" in look["detail"]
    assert driver.check("data", 1, 1, None)["outcome"] == "error"
    assert list((place.folder / "work").rglob("index.*")) == []


def test_what_a_compaction_explains_is_no_damage(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    largest(place.repository / "data").unlink()
    driver = place.driver()
    target = place.folder / "target"
    target.mkdir()
    assert driver.restore("web1-first", None, str(target))["outcome"] == "damaged"
    monkeypatch.setattr(driver, "_writes", lambda: True)
    assert driver.check("structure", 1, 1, None)["outcome"] == "inconclusive"
    restored = driver.restore("web1-first", None, str(target))
    assert (restored["outcome"], restored["errors"][0]) == ("error", "The repository was compacted while it was read.")


def learnt(driver: Borg) -> list[str]:
    """What a driver told of secrets that no credentials name."""
    told: list[str] = driver.tools.learnt
    return told


def test_borgmatic_tells_the_repository_and_its_passphrase(place: Place) -> None:
    if shutil.which("borgmatic") is None:
        repositories.program("borgmatic", "system")
    configuration = place.folder / "config.yaml"
    configuration.write_text(
        f"location:\n  source_directories: [{place.source}]\n  repositories: [{place.repository}]\n"
        f"storage:\n  encryption_passphrase: {PASSWORD}\n"
    )
    driver = place.driver("", repository="borgmatic", options={"borgmatic": str(configuration)})
    look = driver.list()
    assert learnt(driver) == [PASSWORD]
    assert (look["status"], look["repository"]["path"]) == ("ok", str(place.repository))
    assert [entry["id"] for entry in look["snapshots"]] == ["web1-first"]
    assert PASSWORD not in (place.folder / "work" / "words" / "log").read_text()
    other = place.driver("", repository="/other", options={"borgmatic": str(configuration)})
    look = other.list()
    assert (look["status"], str(place.repository) in look["detail"]) == ("error", True)
    assert other.check("data", 1, 1, None)["outcome"] == "error"
    configuration.write_text(
        f"source_directories: [{place.source}]\nrepositories: [{{path: {place.repository}, label: local}}]\n"
        f'encryption_passcommand: "echo {PASSWORD}"\n'
    )
    driver = place.driver("", repository="local", options={"borgmatic": str(configuration)})
    look = driver.list()
    assert look["status"] == "ok", look["detail"]
    assert learnt(driver) == [PASSWORD]
    configuration.write_text(configuration.read_text().replace(f"echo {PASSWORD}", "false"))
    silent = place.driver("", repository="local", options={"borgmatic": str(configuration)}).list()
    assert silent["detail"] == (
        f"The command of encryption_passcommand of {configuration} ended with 1 and gave no password."
    )
    missing = place.driver("", repository="local", options={"borgmatic": "/nonexistent.yaml"}).list()
    assert (missing["status"], "/nonexistent.yaml" in missing["detail"]) == ("error", True)


def test_the_command_line_of_an_archive_tells_paths_and_excludes() -> None:
    words = [
        "/usr/bin/borg",
        "create",
        "-C",
        "zstd,3",
        "--exclude",
        "*.o",
        "-e",
        "/tmp",
        "ssh://x/./r::n",
        "/srv",
        "/etc",
        "--comment",
        "x",
    ]
    assert _borg_text.command(words) == (["/etc", "/srv"], ["*.o", "/tmp"])
    assert _borg_text.command(["borg", "create", "--patterns-from", "/tmp/x", "r::n"]) == ([], [])


def test_no_secret_is_on_a_command_line_or_in_the_log(place: Place) -> None:
    driver = place.driver()
    driver.list()
    driver.check("data", 1, 1, None)
    assert PASSWORD not in repr(repositories.ISSUED)
    assert PASSWORD not in (place.folder / "work" / "words" / "log").read_text()
