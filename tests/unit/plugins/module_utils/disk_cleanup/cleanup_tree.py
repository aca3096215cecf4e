# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tree below a folder of the test, in which the rules of disk cleanup find their folders."""

from __future__ import annotations

import os
import re
import time
import typing as t
from pathlib import Path

from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup import (
    _account,
    _engine,
    _file_rules,
    _open_files,
)

OLD = time.time() - 200 * 86400
NOW = time.time() + 100 * 86400
# Files made now are 100 days old then.
EVERYTHING = re.compile(".")


def names(pattern: re.Pattern[str] = EVERYTHING, days: float = 10, **more: t.Any) -> _file_rules.Names:
    """A selector that takes what matches and is older, seen from NOW."""
    return _file_rules.Names(pattern, NOW - days * 86400, **more)


def target(folder: Path, **more: t.Any) -> dict[int, _account.Target]:
    """The filesystem of a folder, which wants all the room there is."""
    device = folder.stat().st_dev
    terms: dict[str, t.Any] = {"avail_bytes": 0, "wanted_bytes": None, **more}
    return {device: _account.Target("/", device, **terms)}


def walk(
    root: Path,
    path: str = "/tmp",
    *,
    act: bool = True,
    selector: t.Any = None,
    budget: _account.Budget | None = None,
    targets: dict[int, _account.Target] | None = None,
    opened: _open_files.OpenFiles | None = None,
    kind: type[_engine.Walk] = _engine.Walk,
) -> _account.Account:
    """Walk through one folder and return the account."""
    account = _account.Account("test")
    kind(
        act,
        opened or _open_files.OpenFiles(),
        budget or _account.Budget(),
        account,
        selector or names(),
        targets or target(root),
    ).run(path)
    return account


def put(path: Path, size: int = 5000) -> Path:
    """A file with something in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(16) * (size // 16 + 1))
    return path


def picture(folder: Path) -> dict[str, tuple[int, int]]:
    """Every name below a folder, with its inode and its size."""
    found = {}
    for place, folders, files in os.walk(os.fsencode(folder)):
        for name in folders + files:
            path = os.path.join(place, name)
            info = os.lstat(path)
            found[os.fsdecode(path)] = (info.st_ino, info.st_size)
    return found
