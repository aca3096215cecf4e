# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: which filesystems ask for room, what a cleanup would bring them, how much to add. Pure.

The checks alone judge: a filesystem asks when one of them found something about it.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils import forecast
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks import (
    _capacity,
    _capacity_growers,
    _capacity_growth,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import DAY, View, count_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup.models import Grower
from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup.options import Options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import CheckResult, epoch, iso

# What is wanted for it has a target, or is everything that may go.
TO_TARGET = ("capacity.space", "capacity.inodes")
ALL_THERE_IS = ("capacity.forecast", "capacity.burst")
OPEN = ("watch", "act", "crit")
TOP = 15
# A second growth within that time is a leak, and no need.
RUNAWAY_DAYS = 7.0
NEARLY_FULL_PERCENT = 90


class Wanting(t.NamedTuple):
    """A filesystem that asks for room."""

    mount: str
    asked_by: list[str]
    target_percent: float | None
    entry: Mapping[str, t.Any]


def filesystems(view: View, results: Sequence[CheckResult], options: Options) -> list[Wanting]:
    """Return the filesystems that ask for room, in the order of their mount points."""
    asked: dict[str, list[str]] = {}
    for result in results:
        if result.check in (*TO_TARGET, *ALL_THERE_IS):
            for finding in result.findings:
                if finding.state in OPEN and finding.object:
                    asked.setdefault(finding.object, []).append(result.check)
    wanted = []
    for entry in _capacity.filesystems(view):
        mount = entry["mount"]
        if entry.get("read_only") or entry["kind"] not in ("disk", "memory"):
            continue
        if options.when == "below_target" and _capacity.avail_percent(entry) < options.target_free_percent:
            asked.setdefault(mount, []).append("below_target")
        if mount in asked:
            everything = any(check in ALL_THERE_IS for check in asked[mount])
            wanted.append(
                Wanting(mount, sorted(set(asked[mount])), None if everything else options.target_free_percent, entry)
            )
    return wanted


def outlook(view: View, entry: Mapping[str, t.Any], freed: int) -> tuple[str, float | None]:
    """Return when a filesystem is full, in words with the range, and for how many days the freed room lasts."""
    found = _capacity_growth.outlook(view, entry)
    if isinstance(found, forecast.Thin) or found.trend != "growing":
        return "", None
    buys = freed / found.slope if found.slope > 0 else None
    low, high = int(found.low or 0), int(found.high or 0)
    range_text = f"{low}-{high} days" if low != high else count_text(low, "day")
    text = f"full in {range_text} ({count_text(found.n, 'day')} of data)"
    return text + (f"; safe cleanup buys {buys:.0f}" if buys is not None and buys >= 1 else ""), buys


def growers(view: View, mount: str) -> tuple[list[Grower], str]:
    """Return what is large on a filesystem, what grew most first; and why not all of it was looked at."""
    found, partial = _capacity_growers.ranked(view, mount)
    return [
        Grower(
            path=entry.path,
            bytes=entry.bytes,
            delta_bytes=entry.delta,
            since=None if entry.since is None else iso(entry.since),
            user=entry.user,
            package=entry.package,
            unit=entry.unit,
        )
        for entry in found[:TOP]
    ], partial


def growth_bytes(view: View, entry: Mapping[str, t.Any], options: Options) -> int:
    """Return by how many bytes a filesystem has to grow: for the days asked for, or to the free share asked for."""
    growth = _capacity_growth.daily_growth(view, entry) or 0.0
    available, size = float(entry["avail_bytes"]), float(entry["size_bytes"])
    for_days = growth * options.grow_days - available
    # So much more that afterwards the share is free of the larger size.
    share = options.grow_free_percent / 100.0
    for_share = (share * size - available) / (1.0 - share)
    return max(0, int(max(for_days, for_share)))


def against_growth(
    view: View, entry: Mapping[str, t.Any], records: Sequence[ChangeRecord], now: float
) -> tuple[str, str] | None:
    """Return why a filesystem is not made larger by what the control node knows: (code, sentence)."""
    mount = entry["mount"]
    thin = isinstance(_capacity_growth.outlook(view, entry), forecast.Thin)
    used = _capacity.used_percent(entry)
    if thin and used < NEARLY_FULL_PERCENT:
        return "no_forecast", f"Nobody can tell yet how {mount} grows, and only {used} % of it are used."
    for record in records:
        grown = record.cleanup.growth if record.cleanup else []
        done_at = epoch(record.ended_at or record.started_at)
        if any(part.mount == mount and part.outcome == "done" for part in grown) and now - done_at < RUNAWAY_DAYS * DAY:
            return (
                "runaway",
                f"{mount} was made larger on {record.started_at[:10]} already: find what grows before adding more.",
            )
    return None
