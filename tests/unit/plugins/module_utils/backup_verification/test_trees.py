"""Mirrors and rsnapshot: which snapshots there are, what can be read of them, and what comes back."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from harness import need

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _files, _place
from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification._rsnapshot import Rsnapshot, parse
from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification._tree import Tree

Make = t.Callable[..., t.Any]
NOW = 1_795_000_000


@pytest.fixture
def tree(repository: Path) -> Path:
    """A mirror with a marker, a manifest, and things in it that must not be followed."""
    (repository / "docs" / "deep").mkdir(parents=True)
    for number in range(30):
        (repository / "docs" / f"file{number}.txt").write_text(f"content {number}\n" * 50)
    (repository / "docs" / "deep" / "nämé with space").write_bytes(b"\0\xff" * 1000)
    (repository / "docs" / "passwd").symlink_to("/etc/passwd")
    (repository / "outside").symlink_to("/etc")
    os.mkfifo(repository / "docs" / "pipe")
    sums = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  ./{path.relative_to(repository)}"
        for path in sorted(repository.rglob("*"))
        if path.is_file() and not path.is_symlink()
    ]
    (repository / "SHA256SUMS").write_text("\n".join(sums) + "\n")
    (repository / ".done").write_text("2026-11-20T02:00:00+01:00\n")
    os.utime(repository / ".done", (NOW, NOW))
    return repository


def listed(driver: t.Any) -> list[tuple[str, float, t.Any]]:
    return [(entry["id"], entry["time"], entry["complete"]) for entry in driver.list()["snapshots"]]


def test_a_mirror_is_as_old_as_its_marker_says(make: Make, tree: Path) -> None:
    # A file with a time from the future is no news.
    os.utime(tree / "docs" / "file1.txt", (NOW + 10**7, NOW + 10**7))
    driver = make(
        Tree,
        tree,
        options={"marker": ".done"},
        expected_paths=["/docs/deep", "/srv"],
        unwanted_paths=["/docs/passwd", "/tmp"],
    )
    found = driver.list()
    (entry,) = found["snapshots"]
    begin = 1_763_600_400 + 365 * 86400
    assert (entry["time"], entry["end"], entry["complete"]) == (begin, NOW, True)
    assert entry["files"] == 33
    assert (found["status"], found["missing"], found["unwanted"]) == ("ok", ["/srv"], ["/docs/passwd"])
    assert found["repository"]["location"] == "local"
    assert found["repository"]["free_bytes"] > 0


def test_a_missing_marker_is_no_snapshot(make: Make, tree: Path) -> None:
    (tree / ".done").unlink()
    found = make(Tree, tree, options={"marker": ".done"}).list()
    assert (found["status"], found["snapshots"]) == ("ok", [])
    assert "marker .done is missing" in found["detail"]
    found = make(Tree, tree).list()
    assert found["snapshots"] == []
    assert "options.marker" in found["detail"]


def test_a_marker_that_is_a_link_is_no_marker(make: Make, tree: Path) -> None:
    (tree / ".done").unlink()
    (tree / ".done").symlink_to("/etc/hostname")
    assert make(Tree, tree, options={"marker": ".done"}).list()["snapshots"] == []


def test_dated_folders_are_as_old_as_their_names(make: Make, repository: Path) -> None:
    for name in ("backup-2026-11-19_0200", "backup-2026-11-20_0200", "other", "backup-2026-13-45_0200"):
        (repository / name).mkdir()
        (repository / name / "file").touch()
    (repository / "backup-2026-11-19_0200" / ".done").touch()
    (repository / "backup-2026-11-21_0200").symlink_to("/etc")
    options = {"pattern": "backup-%Y-%m-%d_%H%M", "utc": True, "marker": ".done"}
    found = make(Tree, repository, options=options).list()
    times = [(entry["id"], entry["time"], entry["complete"]) for entry in found["snapshots"]]
    first = 1_763_517_600 + 365 * 86400
    assert [entry[0] for entry in times] == ["backup-2026-11-20_0200", "backup-2026-11-19_0200"] or times[0][
        2
    ] is not None
    by_name = {entry[0]: entry for entry in times}
    assert by_name["backup-2026-11-20_0200"][1:] == (first + 86400, False)
    assert by_name["backup-2026-11-19_0200"][2] is True
    assert len(times) == 2
    assert "backup-2026-11-20_0200" in found["detail"]


@pytest.mark.parametrize(
    ("name", "mtime", "time_format", "expected"),
    [
        ("db-2026-11-20.sql", None, "%Y-%m-%d", 1_795_132_800),
        ("db-2026-11-20.sql", 1_795_132_800 + 7200, "%Y-%m-%d", 1_795_132_800 + 7200),
        ("db-2026-11-20.sql", 1_795_132_800 + 90000, "%Y-%m-%d", 1_795_132_800),
        ("db-20261120T021500.sql", 5, "%Y%m%dT%H%M%S", 1_795_132_800 + 8100),
        ("db-1795132800.sql", 5, "%s", 1_795_132_800),
        ("db-latest.sql", 5, "%Y-%m-%d", None),
        ("db-2026-02-30.sql", 5, "%Y-%m-%d", None),
        ("db.sql", 5, None, 5),
    ],
)
def test_the_time_in_a_name(name: str, mtime: float | None, time_format: str | None, expected: float | None) -> None:
    assert _place.time_of(name, mtime, time_format, True) == expected


def test_names_are_in_the_hosts_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        assert _place.time_of("2026-07-01_0200", 5, "%Y-%m-%d_%H%M", False) == 1_782_864_000
        assert _place.time_of("2026-12-01_0200", 5, "%Y-%m-%d_%H%M", False) == 1_796_086_800
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("folder", ["gone", "closed"])
def test_a_folder_that_cannot_be_looked_into(make: Make, repository: Path, folder: str) -> None:
    found = make(Tree, repository / folder, options={"marker": "x"}).list()
    assert found["status"] == "no_repository"
    assert "No such file" in found["detail"]


def test_all_parts_together_read_everything_once(make: Make, tree: Path, same: t.Callable[[Path], str]) -> None:
    before = same(tree)
    driver = make(Tree, tree, options={"marker": ".done", "manifest": "SHA256SUMS"})
    answers = [driver.check("subset", part, 4, None) for part in (1, 2, 3, 4)]
    assert {answer["outcome"] for answer in answers} == {"ok"}
    assert all(answer["read_bytes"] > 0 for answer in answers)
    data = driver.check("data", None, None, None)
    assert data["read_bytes"] == sum(answer["read_bytes"] for answer in answers)
    assert data["note"] == "31 of 33 files that are due compared with the manifest."
    structure = driver.check("structure", None, None, None)
    assert (structure["outcome"], structure["read_bytes"]) == ("ok", None)
    assert same(tree) == before


def test_a_wrong_and_a_missing_file_are_named(make: Make, tree: Path) -> None:
    options = {"marker": ".done", "manifest": "SHA256SUMS"}
    data = bytearray((tree / "docs" / "file7.txt").read_bytes())
    data[100] ^= 1
    (tree / "docs" / "file7.txt").write_bytes(data)
    (tree / "docs" / "file9.txt").unlink()
    driver = make(Tree, tree, options=options)
    answer = driver.check("data", None, None, None)
    assert answer["outcome"] == "damaged"
    assert answer["broken"] == ["docs/file7.txt", "docs/file9.txt"]
    part = _files.part_of("docs/file7.txt", 5)
    assert "docs/file7.txt" in driver.check("subset", part, 5, None)["broken"]
    assert driver.check("structure", None, None, None)["broken"] == ["docs/file9.txt"]
    # Nothing but the manifest could know.
    assert make(Tree, tree, options={"marker": ".done"}).check("data", None, None, None)["outcome"] == "ok"


def test_a_manifest_that_is_declared_and_missing_proves_nothing(make: Make, tree: Path) -> None:
    (tree / "SHA256SUMS").unlink()
    answer = make(Tree, tree, options={"marker": ".done", "manifest": "SHA256SUMS"}).check("data", None, None, None)
    assert answer["outcome"] == "error"
    assert "SHA256SUMS cannot be read" in answer["errors"][0]


def test_what_changes_while_it_is_read_is_no_damage(make: Make, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = make(Tree, tree, options={"marker": ".done"})
    digest = _files.digest

    def slow(name: str, left: t.Any, folder: int) -> t.Any:
        if name == "file3.txt":
            raise _files.Changed(name)
        return digest(name, left, folder)

    monkeypatch.setattr(_files, "digest", slow)
    assert driver.check("data", None, None, None)["outcome"] == "inconclusive"


def test_files_come_back_as_they_are_and_links_do_not(make: Make, tree: Path, target: Path) -> None:
    driver = make(Tree, tree, options={"marker": ".done", "root": "docs", "base": "/srv/docs"})
    picked: dict[str, int] = {}
    output = driver.pick(None, lambda path, size, mtime: picked.update({path: size}))
    assert output.rc == 0
    assert picked["/srv/docs/deep/nämé with space"] == 2000
    assert "/srv/docs/passwd" not in picked
    chosen = ["/srv/docs/file1.txt", "/srv/docs/deep/nämé with space"]
    answer = driver.restore(None, chosen, str(target))
    assert (answer["outcome"], sorted(answer["files"])) == ("ok", sorted(chosen))
    for path, restored in answer["files"].items():
        assert Path(restored) == target / path.lstrip("/")
        assert Path(restored).read_bytes() == (tree / "docs" / path[len("/srv/docs/") :]).read_bytes()
        assert Path(restored).stat().st_mode & 0o7777 == 0o600


def test_everything_comes_back_below_the_target(make: Make, tree: Path, target: Path) -> None:
    answer = make(Tree, tree, options={"marker": ".done"}).restore(None, None, str(target))
    assert answer == {"outcome": "ok", "errors": [], "files": None}
    restored = [path for path in target.rglob("*") if not path.is_dir()]
    assert len(restored) == 33
    assert not any(path.is_symlink() for path in target.rglob("*"))


@pytest.mark.parametrize(
    "path", ["/outside/passwd", "/docs/passwd", "/docs/../../../../etc/passwd", "/docs/pipe", "/docs/none"]
)
def test_nothing_outside_is_ever_restored(make: Make, tree: Path, target: Path, path: str) -> None:
    answer = make(Tree, tree, options={"marker": ".done"}).restore(None, [path], str(target))
    assert answer["outcome"] == "damaged"
    assert [entry for entry in target.rglob("*") if not entry.is_dir()] == []


def test_a_link_in_the_target_is_not_followed(make: Make, tree: Path, target: Path, place: Path) -> None:
    (place / "elsewhere").mkdir()
    (target / "docs").symlink_to(place / "elsewhere")
    answer = make(Tree, tree, options={"marker": ".done"}).restore(None, ["/docs/file1.txt"], str(target))
    assert answer["outcome"] == "error"
    assert list((place / "elsewhere").iterdir()) == []


def test_the_time_limit_ends_the_reading(make: Make, tree: Path, target: Path) -> None:
    driver = make(Tree, tree, limit=-1.0, options={"marker": ".done"})
    assert driver.check("data", None, None, None)["outcome"] == "error"
    assert driver.restore(None, None, str(target))["outcome"] == "timeout"


# -- rsnapshot -------------------------------------------------------------------------------------------------------
@pytest.fixture
def rsnapshot(place: Path, repository: Path) -> t.Callable[[], int]:
    """Configuration of a real rsnapshot; calling it makes a snapshot."""
    need(shutil.which("rsnapshot"), "rsnapshot (Debian package rsnapshot)")
    source = place / "source"
    source.mkdir()
    (source / "ledger.txt").write_text("one\n")
    (source / "link").symlink_to("/etc/passwd")
    lines = [
        "config_version\t1.2",
        f"snapshot_root\t{repository}/",
        "no_create_root\t1",
        "cmd_rsync\t/usr/bin/rsync",
        "retain\tdaily\t3",
        f"logfile\t{place}/log",
        f"lockfile\t{place}/lock",
        f"backup\t{source}/\tlocalhost/",
    ]
    (place / "rsnapshot.conf").write_text("\n".join(lines) + "\n")
    return lambda: (
        subprocess.run(
            ["rsnapshot", "-c", str(place / "rsnapshot.conf"), "daily"], capture_output=True, check=False
        ).returncode
    )


def test_rsnapshots_are_told_by_time_and_stay_the_same_when_they_turn(
    make: Make,
    place: Path,
    repository: Path,
    rsnapshot: t.Callable[[], int],
    target: Path,
    same: t.Callable[[Path], str],
) -> None:
    assert rsnapshot() == 0
    driver = make(Rsnapshot, place / "rsnapshot.conf", expected_paths=[f"{place}/source"])
    first = driver.list()["snapshots"][-1]
    time.sleep(1.1)
    (place / "source" / "ledger.txt").write_text("two\n")
    assert rsnapshot() == 0
    found = driver.list()
    assert found["missing"] == []
    old, new = found["snapshots"]
    assert (old["id"], old["tags"], old["complete"], old["errors"]) == (first["id"], ["daily"], True, 0)
    assert new["time"] <= new["end"]
    before = same(repository)
    path = f"{place}/source/ledger.txt"
    answer = driver.restore(old["id"], [path], str(target))
    assert answer["outcome"] == "ok"
    assert Path(answer["files"][path]).read_text() == "one\n"
    assert driver.check("data", None, None, new["id"])["outcome"] == "ok"
    assert same(repository) == before
    assert driver.restore("2020-01-01T00:00:00Z", [path], str(target))["outcome"] == "damaged"


@pytest.mark.parametrize(
    ("line", "rc", "words"),
    [("backup_script\t/bin/false\textra/", 1, "errors"), ("backup_exec\t/bin/false", 2, "warnings")],
)
def test_a_run_of_rsnapshot_with_errors_is_incomplete(
    make: Make, place: Path, rsnapshot: t.Callable[[], int], line: str, rc: int, words: str
) -> None:
    with (place / "rsnapshot.conf").open("a") as stream:
        stream.write(line + "\n")
    assert rsnapshot() == rc
    assert f"completed, but with some {words}" in (place / "log").read_text()
    (entry,) = make(Rsnapshot, place / "rsnapshot.conf").list()["snapshots"]
    assert (entry["complete"], entry["errors"]) == (False, None)


def test_who_works_at_an_rsnapshot_is_told_by_its_lock(make: Make, place: Path, rsnapshot: t.Callable[[], int]) -> None:
    assert rsnapshot() == 0
    driver = make(Rsnapshot, place / "rsnapshot.conf")
    (place / "lock").write_text("99999999\n")
    assert driver.list()["writer"] == ""
    (place / "lock").write_text(f"{os.getpid()}\n")
    assert driver.list()["writer"] == f"rsnapshot (process {os.getpid()})"


def test_the_configuration_is_read_and_commands_in_it_are_not_run() -> None:
    files = {
        "/a": "snapshot_root\t/srv/snap/\nretain\thourly\t6\ninterval\tdaily\t7\n#backup\t/no\tx/\ninclude_conf\t/b\n"
        "include_conf\t`touch /tmp/x`\ninclude_conf\t/a\nsnapshot_root /spaces/\n",
        "/b": "backup\t/home/\thost/\texclude=x\nbackup_script\t/bin/dump\thost/db/\nlogfile\t/var/log/r\n",
    }
    found = parse(files.get, "/a")
    assert (found["root"], found["log"]) == ("/srv/snap/", "/var/log/r")
    assert set(found["points"]) == {("/home/", "host/"), ("", "host/db/")}
    assert found["intervals"][:2] == ["hourly", "daily"]
