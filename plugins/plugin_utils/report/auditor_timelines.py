# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: how long findings about updates were open, beside their deadlines. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import DAY
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import epoch
from ansible_collections.keepwell.fleet.plugins.plugin_utils.period.models import Track


@dataclass(frozen=True, slots=True)
class Timeline:
    """A finding about updates, from its first sight to its end. ``days`` counts whole ones; None while it is open."""

    track: Track
    days: int | None
    in_time: bool | None


@dataclass(frozen=True, slots=True)
class TimelineFacts:
    """All timelines together. Of ``dated`` ones, which had a deadline and ended, ``in_time`` ended before it."""

    ended: int
    open: int
    median_days: int | None
    longest_days: int | None
    dated: int
    in_time: int
    overdue: int


def timelines(tracks: Iterable[Track]) -> list[Timeline]:
    """Return those of findings about updates: what was too late first, then what is open, by first sight."""
    found = [_timeline(track) for track in tracks if track.pillar == "patching"]
    return sorted(found, key=lambda row: (row.in_time is not False, row.days is not None, row.track.first_seen))


def _timeline(track: Track) -> Timeline:
    closed = track.change_at or track.ended_at
    if track.ended != "gone" or closed is None:
        return Timeline(track, None, None)
    days = int(max(0.0, epoch(closed) - epoch(track.first_seen)) // DAY)
    return Timeline(track, days, None if track.deadline is None else closed <= track.deadline)


def facts(found: Sequence[Timeline], end: str) -> TimelineFacts:
    """Return all of them together; ``end`` is that of the period."""
    days = [row.days for row in found if row.days is not None]
    dated = [row.in_time for row in found if row.in_time is not None]
    still = [row.track for row in found if not row.track.ended]
    return TimelineFacts(
        ended=len(days),
        open=len(still),
        median_days=int(statistics.median(days)) if days else None,
        longest_days=max(days, default=None),
        dated=len(dated),
        in_time=sum(dated),
        overdue=sum(track.deadline is not None and track.deadline < end for track in still),
    )
