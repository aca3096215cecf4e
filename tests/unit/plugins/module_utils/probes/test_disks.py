"""Parsers of the disks probe: escapes, numbers and device numbers survive; other forms are named."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import (
    _deleted_open,
    _filesystems,
    _mounts,
    _volumes,
    disks,
)

paths = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=30).map(
    lambda text: "/" + text
)


def escape(text: str) -> str:
    return "".join(f"\\{ord(char):03o}" if char in " \t\n\\#" else char for char in text)


@given(paths)
def test_a_mount_point_with_any_character_survives(path: str) -> None:
    line = f"36 35 98:0 / {escape(path)} rw,noatime master:1 propagate_from:2 - ext4 {escape(path)} rw,errors=continue"
    found = _mounts.parse_mountinfo(line)[0]
    assert (found["mount"], found["source"], found["super_options"]) == (path, path, ["rw", "errors=continue"])


@given(st.text(max_size=60).filter(lambda text: " - " not in text and text.strip() and len(text.splitlines()) == 1))
def test_any_other_line_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="not a mount line"):
        _mounts.parse_mountinfo(text)


@given(st.integers(0, 0xFFF), st.integers(0, 0xFFFFF))
def test_device_numbers_are_read_as_the_c_library_does(major: int, minor: int) -> None:
    assert _deleted_open.device_text(os.makedev(major, minor)) == f"{major}:{minor}"


@given(st.integers(1, 2**40), st.integers(0, 2**40), st.integers(0, 2**40))
def test_sizes_are_blocks_times_fragment(blocks: int, free: int, available: int) -> None:
    numbers = {
        "frsize": 512,
        "bsize": 4096,
        "blocks": blocks,
        "bfree": free,
        "bavail": available,
        "files": 0,
        "ffree": 0,
    }
    found = _filesystems.sizes(numbers)
    assert found["used_bytes"] + found["free_bytes"] == found["size_bytes"] == 512 * blocks
    assert found["inodes_total"] is None


@pytest.mark.parametrize(
    ("target", "counts"),
    [
        ("/var/log/app.log (deleted)", True),
        ("/var/log/app.log", False),
        ("/memfd:x (deleted)", False),
        ("/dev/zero (deleted)", False),
        ("/SYSV00000000 (deleted)", False),
        ("socket:[1] (deleted)", False),
        (None, False),
    ],
)
def test_which_open_files_count(target: str | None, counts: bool) -> None:
    assert _deleted_open.is_deleted_file(target) is counts


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("0::/system.slice/nginx.service\n", "nginx.service"),
        ("12:cpu:/x\n1:name=systemd:/user.slice/user-0.slice/session-1.scope\n", "session-1.scope"),
        ("0::/\n", ""),
        (None, ""),
    ],
)
def test_units_of_processes(text: str | None, unit: str) -> None:
    assert _deleted_open.unit_of(text) == unit


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (disks.parse_swaps, "Filename Type\n/dev/x partition many 0 -2\n"),
        (_volumes.parse_zpool_list, "tank\t1\t2\n"),
        (_volumes.parse_mdstat, "md0 gone\n"),
        (_volumes.parse_btrfs_usage, "ERROR: not a btrfs\n"),
        (_volumes.parse_btrfs_stats, "[/dev/sda].write_io_errs many\n"),
        (lambda text: _volumes.parse_lvm_report(text, "lv"), "  WARNING: no\n"),
        (lambda text: _volumes.parse_lvm_report(text, "lv"), '{"report": [{"lv": [{"lv_size": "1g"}]}]}'),
    ],
)
def test_other_forms_are_refused(parse, text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)


def test_a_commented_line_of_fstab_mounts_nothing() -> None:
    assert _mounts.parse_fstab("#/dev/a /a ext4 ro 0 0\n/dev/b /b\\040c ext4 rw,ro 0 0\n/dev/s none swap sw 0 0\n") == {
        "/b c": True
    }
