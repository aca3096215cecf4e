# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to keepwell.fleet: the capacity section of the policy, and what its checks share."""

from __future__ import annotations

import shlex
import typing as t
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    DAY,
    SEVERITY,
    Section,
    State,
    Verdict,
    View,
    literal,
    size_text,
    threshold,
)

Filesystem = Mapping[str, t.Any]
GIB = 1024.0**3
# Samples older than this say nothing about whether a state persists.
_SAMPLE_AGE_MAX = 3 * DAY


class CapacityPolicy(Section):
    """Thresholds for disks."""

    avail_watch_percent: float = threshold(5.0, "Prometheus node-mixin fsSpaceAvailableWarningThreshold", ge=0, le=100)
    avail_crit_percent: float = threshold(3.0, "Prometheus node-mixin fsSpaceAvailableCriticalThreshold", ge=0, le=100)
    inodes_watch_percent: float = threshold(5.0, "Prometheus node-mixin (inodes as space)", ge=0, le=100)
    inodes_crit_percent: float = threshold(3.0, "Prometheus node-mixin (inodes as space)", ge=0, le=100)
    large_bytes: float = threshold(2e12, "House: from 2 TB on a percentage misleads, the floor below decides", gt=0)
    floor_bytes: float = threshold(20 * GIB, "House: least space on a large filesystem", ge=0)
    floor_growth_days: float = threshold(1.0, "House: least space on a large filesystem, in days of its growth", ge=0)
    days_to_full_watch: float = threshold(30.0, "House: time to order and approve space", gt=0)
    days_to_full_crit: float = threshold(7.0, "House: time to order and approve space", gt=0)
    burst_watch_hours: float = threshold(24.0, "Prometheus node-mixin NodeFilesystemSpaceFillingUp", gt=0)
    burst_watch_below_percent: float = threshold(40.0, "node-mixin fsSpaceFillingUpWarningThreshold", ge=0, le=100)
    burst_crit_hours: float = threshold(4.0, "Prometheus node-mixin NodeFilesystemSpaceFillingUp", gt=0)
    burst_crit_below_percent: float = threshold(20.0, "node-mixin fsSpaceFillingUpCriticalThreshold", ge=0, le=100)
    burst_least_hours: float = threshold(0.5, "House: a pace read off minutes is noise", gt=0)
    burst_window_hours: float = threshold(6.0, "node-mixin predict_linear window", gt=0)
    thin_watch_percent: float = threshold(80.0, "House (LVM autoextend practice)", ge=0, le=100)
    thin_crit_percent: float = threshold(90.0, "House (LVM autoextend practice)", ge=0, le=100)
    pool_watch_percent: float = threshold(80.0, "House: ZFS slows down above 80 %", ge=0, le=100)
    pool_crit_percent: float = threshold(90.0, "House", ge=0, le=100)
    btrfs_unallocated_min_bytes: float = threshold(GIB, "House: one chunk; below it metadata cannot grow", ge=0)
    btrfs_metadata_watch_percent: float = threshold(90.0, "House", ge=0, le=100)
    deleted_open_watch_bytes: float = threshold(GIB, "House", ge=0)
    deleted_open_watch_percent: float = threshold(5.0, "House: share of the filesystem", ge=0, le=100)
    shadow_watch_percent: float = threshold(
        20.0, "House: twice what Windows allows shadow copies by itself, 10 %", ge=0, le=100
    )
    shadow_below_percent: float = threshold(20.0, "House: with so little room they are in the way", ge=0, le=100)


def filesystems(view: View) -> Iterator[Filesystem]:
    """The filesystems whose numbers are known."""
    for entry in view.data("disks").get("filesystems") or ():
        if entry.get("size_bytes"):
            yield entry


def used_percent(entry: Filesystem) -> int:
    """Use as df prints it: rounded up, of what ordinary users can have (the reserve of root left out)."""
    total = entry["used_bytes"] + entry["avail_bytes"]
    return -(-100 * int(entry["used_bytes"]) // int(total)) if total else 100


def avail_percent(entry: Filesystem) -> float:
    """Available share of the size, as node-mixin reckons (avail/size)."""
    return 100.0 * float(entry["avail_bytes"]) / float(entry["size_bytes"])


def free_text(entry: Filesystem) -> str:
    """``2.1 GiB free (96 % used)``."""
    return f"{size_text(entry['avail_bytes'])} free ({used_percent(entry)} % used)"


def biggest_command(view: View, mount: str) -> str:
    """Shell line that lists what is largest on one filesystem, without leaving it."""
    if view.windows:
        below = "Get-ChildItem -LiteralPath $_.FullName -Recurse -Force -File -ErrorAction SilentlyContinue"
        return (
            f"Get-ChildItem -LiteralPath {literal(mount)} -Force -Directory | Select-Object FullName, "
            f"@{{ n = 'Bytes'; e = {{ ({below} | Measure-Object Length -Sum).Sum }} }} | Sort-Object Bytes -Descending"
        )
    return f"du -xhd2 {shlex.quote(mount)} 2>/dev/null | sort -rh | head -25"


def persisting(
    state: State, earlier: Sequence[tuple[float, float]], now: float, is_bad: t.Callable[[float], bool]
) -> State:
    """Hold back a ``watch`` until 2 of the last 3 samples say so; a ``crit`` and a host without samples wait for none.

    ``earlier`` are points (time, value) before now, ``is_bad`` tells whether a value alone would be at least ``watch``.
    """
    recent = [value for at, value in earlier if now - _SAMPLE_AGE_MAX <= at < now][-2:]
    if SEVERITY.index(state) != SEVERITY.index("watch") or len(recent) < 2:
        return state
    return state if any(is_bad(value) for value in recent) else "ok"


def unanswered(view: View) -> Iterator[Verdict]:
    """An ``unknown`` for every filesystem that did not tell its numbers."""
    for entry in view.data("disks").get("filesystems") or ():
        if entry.get("status", "ok") != "ok":
            timeout = entry["status"] == "timeout"
            yield Verdict(
                "unknown",
                object=entry["mount"],
                observed="no answer in time" if timeout else f"could not be read ({entry['status']})",
                expected="an answer",
                summary=f"The filesystem at {entry['mount']} did not tell how full it is.",
                advice=(
                    "Its server or disk may hang; processes that touch it hang, too. Look at the device before "
                    "anything else on this host."
                    if timeout
                    else view.command(
                        "Let Keepwell run with root rights, or look on the host.",
                        "Unlock it if BitLocker keeps it locked; if its file system is gone, do not format it: secure "
                        "the data first.",
                    )
                ),
                command=view.command(
                    f"grep -F {shlex.quote(entry['mount'])} /proc/self/mountinfo",
                    "Get-CimInstance Win32_Volume | Format-Table Name, FileSystem, Capacity; manage-bde -status",
                ),
            )
