# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""tmpfiles.d is read as systemd reads it: on the same tree both let the same things go."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from cleanup_tree import put, target, walk

from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup import (
    _account,
    _engine,
    _file_rules,
    _tmpfiles,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine

needs_tmpfiles = pytest.mark.skipif(
    shutil.which("systemd-tmpfiles") is None or os.geteuid() != 0, reason="needs systemd-tmpfiles and root"
)
DAY = 86400.0
SPECIFIERS = {"b": "0123", "T": "/tmp", "V": "/var/tmp"}


@pytest.mark.parametrize(
    ("text", "seconds", "by", "keep_first"),
    [
        ("10d", 10 * DAY, "abcmABM", False),
        ("1w 2d", 9 * DAY, "abcmABM", False),
        ("30", 30.0, "abcmABM", False),
        ("90min", 5400.0, "abcmABM", False),
        ("1.5h", 5400.0, "abcmABM", False),
        ("am:10d", 10 * DAY, "am", False),
        ("~am:10d", 10 * DAY, "am", True),
        ("~1s", 1.0, "abcmABM", True),
        ("0", 0.0, "abcmABM", False),
        ("1M", 2629800.0, "abcmABM", False),
        ("-", None, "abcmABM", False),
    ],
)
def test_ages_are_lengths_of_time(text: str, seconds: float | None, by: str, keep_first: bool) -> None:
    assert _tmpfiles.parse_age(text) == (seconds, by, keep_first)


@pytest.mark.parametrize("text", ["10 lightyears", "xy:10d", "d", ":10d", "10d?"])
def test_an_age_that_cannot_be_read_is_no_age(text: str) -> None:
    with pytest.raises(ValueError, match="not a l"):
        _tmpfiles.parse_age(text)


def parse(text: str) -> tuple[list[t.Any], list[str]]:
    return _tmpfiles.parse([("a.conf", text)], SPECIFIERS)


def test_lines_for_the_boot_alone_and_comments_do_not_count() -> None:
    items, problems = parse("# d /tmp\nR! /tmp/systemd-private-*\n\nd! /tmp 1777 root root 1s\n")
    assert (items, problems) == ([], [])


def test_the_first_line_for_a_path_counts() -> None:
    items, _problems = parse("q /tmp 1777 root root 10d\nd /tmp 1777 root root 1s\n")
    assert [(item.kind, item.age_s) for item in items] == [("q", 10 * DAY)]


def test_a_line_that_cannot_be_read_protects_what_it_names() -> None:
    items, problems = parse("d /tmp/%Z-app 1777 root root 1s\ne /tmp/b - - - soon\n")
    assert [(item.kind, item.path) for item in items] == [("x", "/tmp/*-app"), ("x", "/tmp/b")]
    assert problems == [
        "a.conf:1: unknown specifier in '/tmp/%Z-app'",
        "a.conf:2: not a length of time: 'soon'",
    ]


def test_private_folders_have_the_age_of_what_is_around_them() -> None:
    items, _problems = parse("q /tmp - - - 10d\nx /tmp/systemd-private-%b-*\nX /tmp/systemd-private-%b-*/tmp\n")
    assert [(item.kind, item.age_s) for item in items] == [("q", 10 * DAY), ("x", None), ("X", 10 * DAY)]
    found = _tmpfiles.roots(items, lambda _pattern: ["/tmp/systemd-private-0123-a/tmp"], ["/tmp"])
    assert [path for path, _item in found] == ["/tmp", "/tmp/systemd-private-0123-a/tmp"]


def test_what_is_in_quarantine_stays_whatever_the_lines_say(root: Path) -> None:
    for name in (".keepwell-quarantine/1.quarantined", "old/x"):
        put(root / "tmp" / name)
    items, _problems = parse("q /tmp - - - 0\n")
    account = walk(root, selector=_tmpfiles.Selector(items[0], items, time.time() + 60))
    assert account.files == 1
    assert (root / "tmp/.keepwell-quarantine/1.quarantined").exists()


def test_the_advice_switches_off_no_file_of_the_system() -> None:
    _walks, notes = _file_rules.plan(Machine(), "temporary_files", {}, time.time())
    advised = [word for note in notes for word in note.split() if word.startswith("/etc/tmpfiles.d/")]
    assert "/etc/tmpfiles.d/tmp.conf" not in advised
    # The first line for a path counts, in the order of the names of files.
    assert all(os.path.basename(path) < "tmp.conf" for path in advised)


def test_what_lies_elsewhere_is_not_ours() -> None:
    items, _problems = parse("d /var/cache/app - - - 1s\nd /tmpx - - - 1s\nd /tmp/x - - - 1s\n")
    assert [path for path, _item in _tmpfiles.roots(items, lambda _p: [], ["/tmp", "/var/tmp"])] == ["/tmp/x"]


def _clean(text: str) -> _account.Account:
    """What Keepwell does by this configuration."""
    items, problems = parse(text)
    assert not problems
    account = _account.Account("temporary_files")
    for path, item in _tmpfiles.roots(
        items, lambda pattern: [str(p) for p in Path("/").glob(pattern[1:])], ["/tmp", "/var/tmp"]
    ):
        selector = _tmpfiles.Selector(item, items, time.time())
        once = walk(Path("/tmp"), path, selector=selector, targets=target(Path(path)), kind=_engine.Walk)
        account.files += once.files
        for reason, count in once.skipped.items():
            account.skip(reason, count)
    return account


TREE = [
    "old/a",
    "old/b",
    "young/a",
    "mixed/old",
    "mixed/young",
    "deep/1/2/3/old",
    "keep/old",
    "keep/sub/old",
    "x-app/old",
    "x-app/sub/old",
    ".hidden/old",
    "one",
    "two",
    "three.log",
    "dot.d/.old",
]


def _make(folder: Path) -> None:
    for name in TREE:
        if "young" not in name:
            put(folder / name)
    (folder / "empty").mkdir()
    (folder / "sticky").touch()
    (folder / "sticky").chmod(0o1644)
    time.sleep(1.3)
    for name in TREE:
        if "young" in name:
            put(folder / name)


@needs_tmpfiles
@pytest.mark.parametrize(
    "lines",
    [
        "d {0} 1777 root root 1s",
        "d {0} 1777 root root am:1s",
        "d {0} 1777 root root aAbBmM:1s",
        "d {0} 1777 root root c:1s",
        "d {0} 1777 root root ~1s",
        "D {0} 1777 root root 1s\nx {0}/x-*",
        "q {0} 1777 root root 1s\nX {0}/keep",
        "d {0} 1777 root root 1s\nd {0}/keep 0755 root root -",
        "e {0}/*ld - - - 1s\ne {0}/x-* - - - 1s",
        "d {0} 1777 root root 1s\nx {0}/*.log\nr {0}/one",
        "d {0} 1777 root root 10d",
        "d {0} 1777 root root -",
        "d {0} 1777 root root 0",
        "d {0} 1777 root root 1s\nx {0}/*/a",
    ],
)
def test_the_same_goes_as_with_the_real_tool(tmp_path: Path, lines: str) -> None:
    theirs, ours = tmp_path / "theirs" / "t", tmp_path / "ours" / "t"
    for folder in (theirs, ours):
        folder.mkdir(parents=True)
        folder.parent.chmod(0o755)
    _make_both(theirs, ours)
    config = tmp_path / "test.conf"
    config.write_text(lines.format(theirs) + "\n")
    subprocess.run(["systemd-tmpfiles", "--clean", str(config)], check=True, capture_output=True)
    _clean(lines.format(ours))
    assert _names(ours) == _names(theirs)
    assert "sticky" in _names(ours)
    assert ("young/a" in _names(ours)) == (not lines.endswith(" 0"))


def _make_both(theirs: Path, ours: Path) -> None:
    _make(theirs)
    _make(ours)
    # The first one's young files are old by now.
    for name in TREE:
        if "young" in name:
            for folder in (theirs, ours):
                (folder / name).unlink()
                put(folder / name)


def _names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@needs_tmpfiles
def test_a_folder_that_a_program_has_locked_stays_with_both(tmp_path: Path) -> None:
    left = {}
    for name in ("theirs", "ours"):
        folder = tmp_path / name
        put(folder / "locked/file")
        put(folder / "free/file")
        time.sleep(1.2)
        lines = f"d {folder} 1777 root root 1s"
        holder = os.open(folder / "locked", os.O_RDONLY)
        fcntl.flock(holder, fcntl.LOCK_SH)
        if name == "theirs":
            config = tmp_path / "test.conf"
            config.write_text(lines + "\n")
            subprocess.run(["systemd-tmpfiles", "--clean", str(config)], check=True, capture_output=True)
        else:
            assert _clean(lines).skipped == {"locked": 1}
        os.close(holder)
        left[name] = _names(folder)
    assert left["ours"] == left["theirs"] == {"locked", "locked/file"}
