# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what is large on a filesystem and what grew there, where that was looked at. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import View, size_text

METRIC = "disk.path_bytes"
_NAMED = 3
_IN_DATA = 10
# Of each filesystem; older points of folders that are no longer large fade away with the history.
_KEPT = 40


class Folder(t.NamedTuple):
    """A folder with its size, and its size before."""

    path: str
    bytes: int
    files: int
    delta: int | None
    since: float | None
    user: str
    package: str
    unit: str


def _looked_at(view: View, mount: str = "") -> Iterator[Mapping[str, t.Any]]:
    record = view.probes.get("disks")
    found = record.data.get("growers") if record is not None and record.status == "ok" else None
    for entry in found if isinstance(found, list) else ():
        if not mount or entry["mount"] == mount:
            yield entry


def series(view: View) -> Iterator[tuple[str, str, float]]:
    """Points for history: the sizes of the largest folders."""
    for entry in _looked_at(view):
        for folder in entry["folders"][:_KEPT]:
            yield METRIC, folder["path"], float(folder["bytes"])


def ranked(view: View, mount: str) -> tuple[list[Folder], str]:
    """Return the folders below a mount point, what grew most first; and why not all was looked at ("" when it was)."""
    found = []
    partial = ""
    for entry in _looked_at(view, mount):
        partial = entry["partial"]
        for told in entry["folders"]:
            if told["path"] == mount:
                continue
            before = [point for point in view.history.series(METRIC, told["path"]) if point[0] < view.now]
            since, size = before[-1] if before else (None, None)
            delta = None if size is None else int(told["bytes"] - size)
            found.append(
                Folder(
                    told["path"],
                    told["bytes"],
                    told["files"],
                    delta,
                    since,
                    told["user"],
                    told["package"],
                    told["unit"],
                )
            )
    grown = [folder for folder in found if folder.delta]
    return sorted(found, key=lambda folder: (-(folder.delta or 0) if grown else 0, -folder.bytes, folder.path)), partial


def sentence(view: View, mount: str, *, by_files: bool = False) -> str:
    """Return a sentence that names what is largest or grew most; "" where nobody looked."""
    found, partial = ranked(view, mount)
    if by_files:
        found = sorted(found, key=lambda folder: -folder.files)
    if not found:
        return ""
    names = "; ".join(_words(folder, by_files) for folder in found[:_NAMED])
    grew = not by_files and any(folder.delta and folder.delta > 0 for folder in found[:_NAMED])
    return f" {'Grew most' if grew else 'Largest'}: {names}{' (not all of it was looked at)' if partial else ''}."


def _words(folder: Folder, by_files: bool) -> str:
    amount = f"{folder.files} files" if by_files else size_text(folder.bytes)
    grown = f", {size_text(folder.delta)} more" if folder.delta and folder.delta > 0 and not by_files else ""
    owner = folder.unit or folder.package or (f"user {folder.user}" if folder.user else "")
    return f"{folder.path} {amount}{grown}" + (f" ({owner})" if owner else "")


def data(view: View, mount: str) -> dict[str, t.Any]:
    """Return the same as numbers, for the finding's data."""
    found, partial = ranked(view, mount)
    if not found:
        return {}
    return {"growers": [folder._asdict() for folder in found[:_IN_DATA]], "growers_partial": partial}
