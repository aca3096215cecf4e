# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: paths of Windows hosts, read on the control node. Pure."""

from __future__ import annotations

import ntpath
import re
from collections.abc import Sequence

_DRIVE = re.compile(r"^[A-Za-z]:\\")


def is_windows(path: str) -> bool:
    """True for a path that begins with the letter of a drive, or is a share."""
    return bool(_DRIVE.match(path)) or path.startswith("\\\\")


def volume(path: str) -> str:
    r"""Return the letter of a path's drive as ``D:``, or ``\\server\share``."""
    return ntpath.splitdrive(path)[0].upper()


def same(one: str, other: str) -> bool:
    """True when two paths are spelled alike but for upper and lower case and a backslash at the end."""
    return one.rstrip("\\").casefold() == other.rstrip("\\").casefold()


def by_folder(paths: Sequence[str]) -> dict[str, list[str]]:
    """Return the paths by the folder in which they lie, each in its order."""
    found: dict[str, list[str]] = {}
    for path in paths:
        found.setdefault(ntpath.dirname(path), []).append(path)
    return found
