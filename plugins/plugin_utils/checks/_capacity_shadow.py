# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to keepwell.fleet: room that shadow copies of Windows take."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    Verdict,
    View,
    check,
    count_text,
    size_text,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._capacity import (
    CapacityPolicy,
    avail_percent,
    filesystems,
    free_text,
)

# From this share on they are named where a volume is short of room.
_WORTH_TELLING = 0.05
_COMMAND = "vssadmin list shadowstorage; vssadmin list shadows"


def _on(view: View, mount: str) -> list[Mapping[str, t.Any]]:
    return [area for area in view.data("disks").get("shadow_storage") or () if area["storage_mount"] == mount]


def sentence(view: View, mount: str) -> str:
    """Return a sentence on what shadow copies take of a volume; "" where they take little or there are none."""
    used = sum(area["allocated_bytes"] or area["used_bytes"] or 0 for area in _on(view, mount))
    size = next((entry["size_bytes"] for entry in filesystems(view) if entry["mount"] == mount), 0)
    return f" Shadow copies take {size_text(used)} of it." if size and used >= _WORTH_TELLING * size else ""


@check(
    "capacity.shadow_storage",
    title="Space taken by shadow copies",
    advice="Give shadow copies a limit (vssadmin resize shadowstorage): what exceeds it is deleted, the oldest first.",
    needs=("disks",),
    sources=("shadow storage",),
    controls=("ISO A.8.6", "SOC 2 A1.1"),
    thresholds=("shadow_watch_percent", "shadow_below_percent"),
)
def shadow_storage(view: View, policy: CapacityPolicy) -> Iterator[Verdict]:
    """Judge what shadow copies take of volumes that are short of room; a target of backups may be full of them."""
    if not view.windows:
        return
    expected = f"below {policy.shadow_watch_percent:g} % of a volume that is short of room"
    if view.data("disks").get("shadow_storage") is None:
        if view.record("disks").status_of("shadow storage") != "absent":
            text = "What shadow copies take could not be read."
            yield Verdict("unknown", observed="not readable", expected=expected, summary=text, command=_COMMAND)
        return
    found = 0
    bad = False
    for entry in filesystems(view):
        areas = _on(view, entry["mount"])
        found += len(areas)
        used = sum(area["allocated_bytes"] or area["used_bytes"] or 0 for area in areas)
        share = 100.0 * used / entry["size_bytes"]
        if share < policy.shadow_watch_percent or avail_percent(entry) >= policy.shadow_below_percent:
            continue
        bad = True
        unlimited = any(area["max_bytes"] is None for area in areas)
        copies = sum(area["copies"] for area in areas)
        yield Verdict(
            "watch",
            object=entry["mount"],
            observed=f"{size_text(used)} ({share:.0f} %) in {count_text(copies, 'copy', 'copies')}, {free_text(entry)}",
            expected=expected,
            summary=f"Shadow copies take {size_text(used)} of {entry['mount']}"
            + (" and may grow until it is full." if unlimited else "."),
            command=_COMMAND,
            data={"used_bytes": used, "unlimited": unlimited, "copies": copies},
        )
    if found and not bad:
        text = f"{count_text(found, 'volume')} with shadow copies, none in the way"
        yield Verdict("ok", observed=text, expected=expected)
