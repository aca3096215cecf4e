"""The folder for restored data: made only where it harms nobody, and removed whatever was restored into it."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import typing as t
from collections.abc import Iterator
from pathlib import Path

import made_backup
import pytest

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import (
    _leftovers,
    _paths,
    _removal,
    _sandbox,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _folder, _system
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
NOWHERE: dict[str, t.Any] = {"repository": None, "sources": []}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A host on which nothing stays mounted."""
    made_backup.install(tmp_path, monkeypatch.setattr)
    (tmp_path / "work").mkdir(mode=0o700)
    (tmp_path / "precious").write_text("stays")
    yield tmp_path
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        if f" {tmp_path}/" in line:
            mount = line.split(" ")[4].encode().decode("unicode_escape")
            subprocess.run(["umount", mount], capture_output=True, check=True)


def made(host: Path, **asked: t.Any) -> _sandbox.Sandbox:
    return _sandbox.make(Machine(), str(host / "work"), "01WORK00", asked, 1000, 3, NOWHERE)


def removed(host: Path) -> dict[str, str] | None:
    return _sandbox.remove(Machine(), str(host / "work"), lambda _folder: None)


def refusal(host: Path, places: dict[str, t.Any] = NOWHERE, size: int = 1000, **asked: t.Any) -> tuple[str, str]:
    """The refusal, the same from the guard alone and from making it; nothing is made."""
    before = made_backup.tree(host).keys()
    with pytest.raises(AgentError) as guarded:
        _sandbox.guard(asked, size, 3, places)
    with pytest.raises(AgentError) as making:
        _sandbox.make(Machine(), str(host / "work"), "01WORK00", asked, size, 3, places)
    assert (guarded.value.code, guarded.value.text) == (making.value.code, making.value.text)
    assert made_backup.tree(host).keys() == before
    return guarded.value.code, guarded.value.text


# --- where it may be


def test_it_is_new_empty_and_for_root_alone(host: Path) -> None:
    sandbox = made(host)
    base = Path(_sandbox.BASE)
    assert [path.stat().st_mode & 0o777 for path in (base, Path(sandbox.path), Path(sandbox.data))] == [0o700] * 3
    assert Path(sandbox.path).name.startswith("01WORK00-")
    assert os.listdir(sandbox.data) == []
    assert (Path(sandbox.path) / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55\n")
    record = _folder.load(str(host / "work"), _sandbox.MANIFEST)
    info = os.stat(sandbox.path)
    assert (record["path"], record["dev"], record["ino"]) == (sandbox.path, info.st_dev, info.st_ino)
    assert removed(host) == {"path": sandbox.path, "left": ""}
    assert os.listdir(base) == []
    assert removed(host) is None


@pytest.mark.parametrize(
    ("base", "code", "words"),
    [
        ("/", "unsafe_path", "must not be /"),
        ("//", "unsafe_path", "must not be /"),
        ("relative", "unsafe_path", "no absolute path"),
        ("{host}/x/../y", "unsafe_path", "'..'"),
        ("{host}/to-root", "unsafe_path", "symbolic link"),
        ("{host}/open/to-root/x", "unsafe_path", "others than root can change"),
        ("{host}/open/x", "unsafe_path", "others than root can change"),
        ("{host}/precious", "unsafe_path", "is no folder"),
        ("{host}/precious/x", "unsafe_path", "is no folder"),
    ],
)
def test_a_base_that_would_harm_is_refused(host: Path, base: str, code: str, words: str) -> None:
    (host / "to-root").symlink_to("/")
    (host / "open").mkdir()
    (host / "open").chmod(0o777)
    (host / "open" / "to-root").symlink_to("/")
    found = refusal(host, base=base.format(host=host))
    assert found[0] == code
    assert words in found[1]


def test_a_link_that_only_root_can_make_may_lead_there(host: Path) -> None:
    (host / "real").mkdir()
    (host / "var").symlink_to("real")
    assert made(host, base=str(host / "var" / "sandbox")).path.startswith(str(host / "real" / "sandbox") + "/")


@pytest.mark.parametrize("base", ["repository", "repository/x", ".", "sources/x", "sources"])
def test_it_keeps_away_from_repository_and_sources(host: Path, base: str) -> None:
    for name in ("repository", "sources"):
        (host / name).mkdir()
    places = {"repository": str(host / "repository"), "sources": [str(host / "sources")]}
    code, text = refusal(host, places, base=str(host / base))
    assert (code, "lie in one another" in text) == ("unsafe_path", True)


def test_what_it_shares_with_repository_and_sources_is_told(host: Path) -> None:
    (host / "repository").mkdir()
    places = {"repository": str(host / "repository"), "sources": ["/"]}
    found = _sandbox.guard({}, 1000, 3, places)
    assert "same filesystem as the repository" in found["notes"]
    assert "inside of /, which is backed up" in found["notes"]
    assert not Path(_sandbox.BASE).exists()
    code, text = refusal(host, places, same_filesystem="refuse")
    assert (code, "same_filesystem" in text) == ("unsafe_path", True)


def test_room_is_needed_for_the_data_and_for_others(host: Path) -> None:
    room = os.statvfs(host)
    free = room.f_bavail * room.f_frsize
    code, text = refusal(host, size=int(free / 1.1))
    assert (code, "too little room" in text) == ("no_space", True)
    assert refusal(host, free_percent=100.0)[0] == "no_space"
    _sandbox.guard({}, int(free / 1.3), 3, NOWHERE)


def test_it_is_refused_when_it_is_exchanged_while_it_is_made(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = Path(_sandbox.BASE)
    base.mkdir(mode=0o700)
    make = os.mkdir

    def swap(name: t.Any, *rest: t.Any, **more: t.Any) -> None:
        if str(name).startswith("01WORK00-"):
            base.rename(host / "moved")
            base.symlink_to(host / "victim")
        make(name, *rest, **more)

    (host / "victim").mkdir()
    monkeypatch.setattr(os, "mkdir", swap)
    with pytest.raises((AgentError, OSError)):
        made(host)
    assert os.listdir(host / "victim") == []


# --- what was restored goes


@pytest.fixture
def attributes() -> Iterator[list[Path]]:
    """Paths that are made unchangeable; made changeable again in the end, so that pytest can remove them."""
    paths: list[Path] = []
    yield paths
    for path in paths:
        if path.exists():
            flag(path, 0)


def flag(path: Path, flags: int) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, _removal._SET_FLAGS, struct.pack("l", flags))
    finally:
        os.close(descriptor)


def test_links_out_of_it_hurt_nobody(host: Path) -> None:
    data = Path(made(host).data)
    (host / "folder").mkdir()
    (host / "folder" / "file").write_text("stays")
    (data / "root").symlink_to("/")
    (data / "etc").symlink_to("/etc")
    (data / "folder").symlink_to(host / "folder")
    (data / "dangling").symlink_to("nowhere")
    os.link(host / "precious", data / "hard")
    (data / "pipe").parent.mkdir(exist_ok=True)
    os.mkfifo(data / "pipe")
    found = removed(host)
    assert found is not None
    assert found["left"] == ""
    assert (host / "precious").read_text() == (host / "folder" / "file").read_text() == "stays"
    assert os.stat(host / "precious").st_nlink == 1


def test_strange_names_and_depth_are_no_hindrance(host: Path) -> None:
    data = Path(made(host).data)
    for name in (b"new\nline", b"\xff\xfe", b"-rf", b" ", b"a" * 255, b"*"):
        os.mkdir(os.fsencode(data) + b"/" + name)
        Path(os.fsdecode(os.fsencode(data) + b"/" + name + b"/x")).write_text("x")
    here = os.open(data, os.O_RDONLY)
    for _level in range(3000):
        os.mkdir("deep", dir_fd=here)
        below = os.open("deep", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    assert (removed(host) or {})["left"] == ""
    assert os.listdir(_sandbox.BASE) == []


def test_rights_and_flags_do_not_keep_it(host: Path, attributes: list[Path]) -> None:
    data = Path(made(host).data)
    (data / "shut" / "inner").mkdir(parents=True)
    (data / "shut" / "inner" / "file").write_text("x")
    (data / "fixed").mkdir()
    (data / "fixed" / "file").write_text("x")
    attributes += [data / "fixed" / "file", data / "fixed"]
    try:
        for path in attributes:
            flag(path, 0x10)
    except OSError:
        attributes.clear()
    (data / "shut" / "inner").chmod(0)
    (data / "shut").chmod(0)
    assert (removed(host) or {})["left"] == ""
    assert not data.exists()


def test_an_unchangeable_file_with_a_second_name_is_told_and_stays(host: Path, attributes: list[Path]) -> None:
    data = Path(made(host).data)
    os.link(host / "precious", data / "hard")
    attributes.append(host / "precious")
    try:
        flag(host / "precious", 0x10)
    except OSError:
        pytest.skip("this filesystem knows no such flags")
    left = (removed(host) or {})["left"]
    assert left == f"{data}/hard (Operation not permitted)"
    flag(host / "precious", 0)
    assert (host / "precious").read_text() == "stays"
    # It can be tried again.
    assert (removed(host) or {})["left"] == ""


def mounted(*arguments: str) -> bool:
    return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0


@needs_root
def test_what_is_mounted_in_it_is_unmounted_and_not_emptied(host: Path) -> None:
    sandbox = made(host)
    inner = Path(sandbox.data) / "a b"
    inner.mkdir()
    (host / "live").mkdir()
    (host / "live" / "file").write_text("stays")
    if not mounted("--bind", str(host / "live"), str(inner)):
        pytest.skip("no right to mount here")
    assert (removed(host) or {})["left"] == ""
    assert (host / "live" / "file").read_text() == "stays"
    assert os.listdir(_sandbox.BASE) == []


@needs_root
def test_a_mount_that_is_in_use_is_left_alone(host: Path) -> None:
    sandbox = made(host)
    inner = Path(sandbox.data) / "busy"
    inner.mkdir()
    (host / "live").mkdir()
    (host / "live" / "file").write_text("stays")
    if not mounted("--bind", str(host / "live"), str(inner)):
        pytest.skip("no right to mount here")
    holding = os.open(inner, os.O_RDONLY)
    try:
        assert (removed(host) or {})["left"] == f"{inner} (Device or resource busy)"
        assert (host / "live" / "file").read_text() == "stays"
    finally:
        os.close(holding)
    # It can be tried again.
    assert (removed(host) or {})["left"] == ""
    assert (host / "live" / "file").read_text() == "stays"


@needs_root
@pytest.mark.parametrize(
    ("options", "size", "code", "words"),
    [
        ("size=1m", 2_000_000, "no_space", "MiB are free"),
        ("size=16m,nr_inodes=4", 10, "no_space", "inodes are free"),
        ("size=16m,ro", 10, "read_only", "read-only"),
    ],
)
def test_a_filesystem_without_room_is_refused(host: Path, options: str, size: int, code: str, words: str) -> None:
    place = host / "place"
    place.mkdir(mode=0o700)
    if not mounted("-t", "tmpfs", "-o", options + ",mode=0700", "none", str(place)):
        pytest.skip("no right to mount here")
    found = refusal(host, base=str(place), size=size)
    assert found[0] == code
    assert words in found[1]


@needs_root
def test_how_it_is_mounted_is_told(host: Path) -> None:
    place = host / "place"
    place.mkdir(mode=0o700)
    if not mounted("-t", "tmpfs", "-o", "size=16m,mode=0700,noexec,nosuid,nodev", "none", str(place)):
        pytest.skip("no right to mount here")
    found = _sandbox.guard({"base": str(place)}, 10, 1, NOWHERE)
    assert found["notes"] == ["noexec", "nosuid", "nodev"]


# --- whose it is


def test_after_a_reboot_device_numbers_may_be_others(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = made(host)
    record = _folder.load(str(host / "work"), _sandbox.MANIFEST)
    _folder.dump(str(host / "work"), _sandbox.MANIFEST, {**record, "dev": record["dev"] + 1})
    assert "another inode" in (removed(host) or {})["left"]
    monkeypatch.setattr(_system, "identity", lambda _machine: {"boot_id": "c", "pid1_started": 8})
    assert (removed(host) or {})["left"] == ""
    assert not Path(sandbox.path).exists()


@pytest.mark.parametrize("files", [[], ["x"]])
def test_a_crash_before_the_inode_was_known(host: Path, files: list[str]) -> None:
    """Only a folder in which nothing is yet can be the one that was just made."""
    path = Path(_sandbox.BASE) / "01WORK00-12345678"
    path.mkdir(parents=True)
    for name in files:
        (path / name).write_text("stays")
    record = {"path": str(path), "dev": None, "ino": None, "token": "t", "boot": _system.identity(None)}
    _folder.dump(str(host / "work"), _sandbox.MANIFEST, record)
    assert bool((removed(host) or {})["left"]) == bool(files)
    assert path.exists() == bool(files)


def test_a_link_in_the_place_of_the_sandbox_is_not_followed(host: Path) -> None:
    sandbox = Path(made(host).path)
    sandbox.rename(host / "moved")
    (host / "victim").mkdir()
    (host / "victim" / "file").write_text("stays")
    sandbox.symlink_to(host / "victim")
    assert (removed(host) or {})["left"]
    assert (host / "victim" / "file").read_text() == "stays"


def test_folders_that_nobody_of_us_made_are_told_and_stay(host: Path) -> None:
    foreign = Path(_sandbox.BASE) / "01WORK00-foreign"
    foreign.mkdir(parents=True)
    answer = _leftovers.sweep(Machine())
    assert answer == {"removed": [], "left": [], "foreign": [str(foreign)]}
    assert foreign.exists()


@pytest.mark.parametrize(
    ("path", "folder", "inside"),
    [("/a/b", "/a", True), ("/a", "/a", True), ("/ab", "/a", False), ("/a", "/", True), ("/", "/a", False)],
)
def test_what_is_below_what(path: str, folder: str, inside: bool) -> None:
    assert _paths.below(path, folder) == inside
