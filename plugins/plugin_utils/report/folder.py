# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the files of a report in their folder. Runs on the control node."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError, write_atomic

# Reports name weak spots: for the owner and the group; who else gets them is decided by sending them.
_MODE = 0o640


def differing(folder: Path, files: Mapping[str, bytes]) -> dict[str, bytes | None]:
    """Return what is there now of the files that are not as they should be; None for one that is missing."""
    return {name: old for name, new in files.items() if (old := _read(folder / name)) != new}


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Put files into a folder, each whole or not at all. Raises EvidenceError with one sentence."""
    for name, content in files.items():
        try:
            write_atomic(folder / name, content, _MODE)
        except OSError as exc:
            raise EvidenceError(
                f"The report could not be written to {folder / name}: {exc.strerror}. "
                "What was there before is untouched. Free space, correct the rights, or choose another 'destination'."
            ) from exc


def message(changed: int, total: int, folder: Path, *, check_mode: bool) -> str:
    """Return what was done, in one sentence."""
    if not changed:
        return f"{total} files in {folder} are as they should be."
    return f"{changed} of {total} files in {folder} {'would be' if check_mode else 'were'} written."


def _read(path: Path) -> bytes | None:
    """Return what is at ``path`` now; None when there is nothing."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise EvidenceError(
            f"No report was made: {path} is in the way and cannot be read ({exc.strerror}). "
            "Move it away or choose another 'destination'."
        ) from exc
