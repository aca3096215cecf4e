# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Folders that kdump makes: one thing each, of which all goes or nothing."""

from __future__ import annotations

import os
import subprocess
import typing as t
from pathlib import Path

import pytest
from cleanup_rules import DEBIAN, FUTURE, request
from cleanup_tree import put

from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup import (
    _account,
    _space,
    _sweep,
)

KDUMP = ("127.0.0.1-2026-01-01-10:00:00", "web1.example.com-2026-01-02-10:00:00", "2026-01-03-10:00", "202601041000")


def crash(root: Path, name: str, *files: str) -> Path:
    """A folder of kdump."""
    for file in files or ("vmcore", "vmcore-dmesg.txt", "kexec-dmesg.log"):
        put(root / "var/crash" / name / file, 4096)
    return root / "var/crash" / name


def test_a_folder_of_kdump_goes_as_a_whole_and_the_newest_stay(all_of_it: Path) -> None:
    suse = crash(all_of_it, "2025-01-03-10:00", "vmcore", "README.txt", "System.map-6.4", "vmlinux-6.4.gz", "dmesg.txt")
    debian = crash(all_of_it, "20250101100000", "dump.20250101100000", "dmesg.20250101100000")
    folders = [crash(all_of_it, name) for name in KDUMP]
    asked = request("crash_data", crash_keep=2)
    seen = _sweep.sweep(DEBIAN, asked, False, FUTURE)["rules"][0]
    assert all(folder.exists() for folder in [*folders, suse, debian])
    done = _sweep.sweep(DEBIAN, asked, True, FUTURE)["rules"][0]
    assert {folder.name for folder in folders if folder.exists()} == set(KDUMP[2:])
    assert not (suse.exists() or debian.exists())
    assert (seen["files"], seen["folders"]) == (done["files"], done["folders"]) == (13, 4)
    assert seen["list_sha256"] == done["list_sha256"]
    assert done["skipped"]["newest"] == 4


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda folder: put(folder / "notes-of-the-admin.txt"), "kept"),
        (lambda folder: (folder / "vmcore.link").symlink_to("/etc/passwd"), "symlink"),
        (lambda folder: put(folder / "vmcore.d/x"), "not_regular"),
        (lambda folder: os.link(folder / "vmcore", folder.parent / "mine"), "hardlink"),
        (lambda folder: os.utime(folder / "vmcore", (FUTURE, FUTURE)), "age"),
        (lambda folder: os.chown(folder, 4711, 4711), "owner"),
    ],
)
def test_a_folder_of_kdump_stays_whole_when_anything_is_against_it(
    all_of_it: Path, spoil: t.Callable[[Path], t.Any], word: str
) -> None:
    if word == "owner" and os.geteuid():
        pytest.skip("needs root")
    folder = crash(all_of_it, KDUMP[0])
    for name in KDUMP[1:2]:
        crash(all_of_it, name)
    spoil(folder)
    before = sorted(folder.rglob("*"))
    done = _sweep.sweep(DEBIAN, request("crash_data"), True, FUTURE)["rules"][0]
    assert sorted(folder.rglob("*")) == before
    assert done["skipped"][word] == 1


def test_a_dump_that_is_read_keeps_its_folder(all_of_it: Path) -> None:
    folder = crash(all_of_it, KDUMP[0])
    crash(all_of_it, KDUMP[1])
    reader = ["/usr/bin/python3", "-c", "import sys; a = open(sys.argv[1]); print(flush=True); sys.stdin.read()"]
    with subprocess.Popen([*reader, str(folder / "vmcore")], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        done = _sweep.sweep(DEBIAN, request("crash_data"), True, FUTURE)["rules"][0]
        holder.communicate()
    assert len(os.listdir(folder)) == 3
    assert done["skipped"]["open"] == 1


def test_a_target_ends_the_work_between_folders_of_kdump(all_of_it: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KDUMP:
        crash(all_of_it, name)
    device = all_of_it.stat().st_dev
    monkeypatch.setattr(_space, "renew", lambda _targets: None)
    monkeypatch.setattr(_space, "targets", lambda wanted: {device: _account.Target("/", device, 0, 8192)})
    (all_of_it / "var/crash/_usr_bin_x.0.crash").unlink()
    seen = _sweep.sweep(DEBIAN, request("crash_data"), False, FUTURE)["rules"][0]
    done = _sweep.sweep(DEBIAN, request("crash_data"), True, FUTURE)["rules"][0]
    # Whole folders, the oldest first; a preview tells what more could go.
    assert (done["files"], done["folders"], done["stopped"]) == (3, 1, "target")
    assert (seen["files"], seen["rest_files"]) == (3, 6)
    assert not (all_of_it / "var/crash" / KDUMP[0]).exists()


def test_other_folders_below_the_crash_folder_are_no_units(all_of_it: Path) -> None:
    for name in ("2026-01-01", "20260101", "x-202601011000", "notes 2026-01-01-10:00"):
        crash(all_of_it, name, "vmcore", "mine.txt")
    _sweep.sweep(DEBIAN, request("crash_data"), True, FUTURE)
    assert len(list((all_of_it / "var/crash").glob("*/mine.txt"))) == 4
