# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whoever else may write where it is cleaned up gets nothing outside deleted, whatever he does meanwhile."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

import pytest
from cleanup_tree import names, picture, put, walk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup import _account, _bases, _engine, _open_files


class Interrupted(_engine.Walk):
    """A walk during which something happens between two steps, as the test says."""

    before_unlink: t.ClassVar[t.Callable[[str], None]]

    def _unlink(self, folder: int, name: str) -> bool:
        type(self).before_unlink(name)
        return t.cast(bool, super()._unlink(folder, name))


def interrupted(action: t.Callable[[str], None]) -> type[Interrupted]:
    """A kind of walk that calls this once, after a name was judged and before it is unlinked."""
    done: list[str] = []

    def once(name: str) -> None:
        if not done:
            done.append(name)
            action(name)

    return type("Now", (Interrupted,), {"before_unlink": staticmethod(once)})


def test_a_name_that_becomes_a_link_loses_the_link_and_nothing_else(root: Path) -> None:
    sentinel = put(root / "etc/shadow")
    victim = put(root / "tmp/a/victim")

    def swap(_name: str) -> None:
        victim.unlink()
        victim.symlink_to(sentinel)

    walk(root, kind=interrupted(swap))
    assert sentinel.exists()


def test_a_folder_that_becomes_a_link_is_not_followed(root: Path) -> None:
    sentinel = put(root / "etc/victim")
    put(root / "tmp/a/victim")

    def swap(_name: str) -> None:
        (root / "tmp/a").rename(root / "tmp/b")
        (root / "tmp/a").symlink_to(root / "etc")

    account = walk(root, kind=interrupted(swap))
    assert sentinel.exists()
    # The file of the folder that was looked at is the one that went, wherever that folder is now.
    assert account.files == 1
    assert not (root / "tmp/b/victim").exists()


def test_a_folder_that_was_swapped_before_it_is_entered_is_left_alone(root: Path) -> None:
    put(root / "tmp/0")
    put(root / "tmp/folder/file")
    put(root / "tmp/other/precious")

    def swap(_name: str) -> None:
        (root / "tmp/folder").rename(root / "tmp/x")
        (root / "tmp/other").rename(root / "tmp/folder")

    account = walk(root, kind=interrupted(swap))
    assert account.skipped["changed"] == 1


def test_a_parent_that_is_moved_away_takes_the_walk_with_it(root: Path) -> None:
    put(root / "tmp/a/b/file")
    content = put(root / "home/b/file").read_bytes()

    def swap(_name: str) -> None:
        (root / "tmp/a").rename(root / "home/moved")
        (root / "home/b").rename(root / "tmp/a")

    walk(root, kind=interrupted(swap))
    assert (root / "tmp/a/file").read_bytes() == content
    assert not (root / "home/moved/b/file").exists()


def test_a_second_name_given_at_the_last_moment_leaves_the_other_one(root: Path) -> None:
    shadow = put(root / "etc/shadow")
    victim = put(root / "tmp/victim")

    def swap(_name: str) -> None:
        victim.unlink()
        os.link(shadow, victim)

    walk(root, kind=interrupted(swap))
    assert shadow.exists()
    assert shadow.stat().st_nlink == 1


def test_a_file_that_changed_after_it_was_judged_stays(root: Path) -> None:
    files = [put(root / f"tmp/{name}") for name in "ab"]

    def write(name: str) -> None:
        time.sleep(0.02)
        next(path for path in files if path.name != name).write_text("new")

    account = walk(root, kind=interrupted(write))
    assert (account.files, account.skipped) == (1, {"changed": 1})


ATTACK = r"""
import itertools, os, random, sys, time
place, secret, end = sys.argv[1], sys.argv[2], time.time() + float(sys.argv[3])
random.seed(os.getpid())
for n in itertools.count():
    if time.time() > end:
        break
    d = "%s/d%d" % (place, random.randrange(6))
    other = "%s/d%d" % (place, random.randrange(6))
    for action in random.sample(range(7), 3):
        try:
            if action == 0: os.mkdir(d)
            elif action == 1: os.rename(d, other + "x")
            elif action == 2: os.symlink(secret, d)
            elif action in (3, 4):
                # The attacker himself must not write through his own links, or the test would blame the cleanup.
                fd = os.open(d, os.O_DIRECTORY | os.O_NOFOLLOW)
                try:
                    if action == 3: os.link(secret + "/shadow", "l%d" % n, dst_dir_fd=fd)
                    else: os.close(os.open("f%d" % n, os.O_CREAT | os.O_WRONLY, dir_fd=fd))
                finally: os.close(fd)
            elif action == 5: os.unlink(d)
            elif action == 6: os.rename(other + "x", d)
        except OSError:
            pass
"""


@pytest.mark.parametrize("seconds", [3.0, pytest.param(60.0, marks=pytest.mark.long)])
def test_racing_processes_get_nothing_outside_deleted(root: Path, seconds: float) -> None:
    secret = root / "secret"
    for number in range(50):
        put(secret / f"f{number}")
    put(secret / "shadow")
    sentinel = _hash(secret)
    argv = [sys.executable, "-c", ATTACK, str(root / "tmp"), str(secret), str(seconds)]
    attackers = [subprocess.Popen(argv) for _ in range(3)]
    skipped: dict[str, int] = {}
    rounds = deleted = 0
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            account = walk(root, opened=_NothingOpen())
            rounds += 1
            deleted += account.files
            assert account.stopped == ""
            for reason, count in account.skipped.items():
                skipped[reason] = skipped.get(reason, 0) + count
    finally:
        for attacker in attackers:
            attacker.wait()
    assert _hash(secret) == sentinel
    assert rounds > 10
    assert deleted > 10
    assert skipped.keys() <= {
        "symlink", "hardlink", "changed", "gone", "not_empty", "mount", "not_regular", "open", "error",
    }  # fmt: skip
    assert skipped["hardlink"] > 0
    assert "error" not in skipped


class _NothingOpen(_open_files.OpenFiles):
    """Looking at every process on every round would leave no time for the race."""

    def look(self) -> None:
        self._at = time.monotonic() + 1e9


def _hash(folder: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        info = path.stat()
        found.update(f"{path} {info.st_ino} {info.st_mode} {info.st_uid} {info.st_size}".encode() + path.read_bytes())
    return found.hexdigest()


NAMES = st.sampled_from(["a", "b", "new\nline", "x.gz", ".hidden", "\udcff", "-f", "log.1", "core.9"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(tuple)
ENTRY = st.tuples(PATHS, st.sampled_from(["file", "file", "file", "folder", "link", "hardlink", "open", "pipe"]))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ENTRY, max_size=14), st.sampled_from(["", "files", "target"]), st.integers(0, 4))
def test_whatever_the_tree_nothing_outside_nothing_open_nothing_linked_goes(
    monkeypatch: pytest.MonkeyPatch, entries: list[tuple[tuple[str, ...], str]], limit: str, number: int
) -> None:
    with tempfile.TemporaryDirectory() as home:
        root = Path(home)
        monkeypatch.setattr(_bases, "ROOT", home)
        secret = put(root / "etc/secret")
        (root / "tmp").mkdir()
        held = _plant(root / "tmp", secret, entries)
        opened = _Held(held)
        outside = picture(root / "etc")
        before = picture(root / "tmp")
        terms: dict[str, t.Any] = {"opened": opened, "selector": names()}
        if limit == "files":
            preview = walk(root, act=False, budget=_account.Budget(files=number), **terms)
            done = walk(root, budget=_account.Budget(files=number), **terms)
        else:
            wanted = (
                {"avail_bytes": 0, "wanted_bytes": number * 4096} if limit else {"avail_bytes": 0, "wanted_bytes": None}
            )
            device = root.stat().st_dev
            preview, done = (
                walk(root, act=act, targets={device: _account.Target("/", device, **wanted)}, **terms)
                for act in (False, True)
            )
        after = picture(root / "tmp")
        gone = {path: info for path, info in before.items() if path not in after}
        assert picture(root / "etc") == outside
        assert not {inode for inode, _size in gone.values()} & held
        assert len(gone) == done.files == preview.files
        told, seen = done.document(), preview.document()
        assert [told[key] for key in ("bytes", "list_sha256", "top")] == [
            seen[key] for key in ("bytes", "list_sha256", "top")
        ]
        assert all(before[path] == after[path] for path in after)


class _Held(_open_files.OpenFiles):
    """These inodes are in use."""

    def __init__(self, inodes: set[int]) -> None:
        super().__init__()
        self._inodes = inodes

    def has(self, info: os.stat_result) -> bool:
        return info.st_ino in self._inodes


def _plant(place: Path, secret: Path, entries: list[tuple[tuple[str, ...], str]]) -> set[int]:
    """Make a tree; return the inodes that are in use, or have two names."""
    held = {secret.stat().st_ino}
    for parts, kind in entries:
        path = place.joinpath(*parts)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if os.path.lexists(path):
                continue
            if kind in ("file", "open"):
                path.write_bytes(b"x" * 5000)
            elif kind == "folder":
                path.mkdir()
            elif kind == "link":
                path.symlink_to(secret)
            elif kind == "hardlink":
                os.link(secret, path)
            else:
                os.mkfifo(path)
            if kind in ("open", "hardlink", "link", "pipe") or not stat.S_ISREG(path.lstat().st_mode):
                held.add(path.lstat().st_ino)
        except OSError:
            continue
    return held


def test_the_walk_calls_nothing_that_follows_a_path() -> None:
    for module in (_engine, _bases):
        text = Path(module.__file__).read_text(encoding="utf-8")
        assert not re.search(r"shutil|rmtree|os\.remove|os\.chdir|os\.walk|subprocess", text)
        for call in re.findall(r"os\.(?:unlink|rmdir)\([^)]*\)", text):
            assert "dir_fd=" in call
