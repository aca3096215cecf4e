# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: when the entries of a schedule should begin. Pure.

``at`` is a time of the client's clock, by the rules of the maintenance windows: what the clock skips moves forward,
what it shows twice is the first. ``every`` is counted from midnight UTC, so that no clock change makes a beat longer.
"""

from __future__ import annotations

import datetime
import functools
import math
import typing as t
from collections.abc import Iterator, Mapping
from zoneinfo import ZoneInfo

from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.rules import DAYS
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.times import ONE_DAY, day_of, moment

if t.TYPE_CHECKING:
    from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.model import Entry


class Planned(t.NamedTuple):
    """That an entry should begin at a moment (epoch; ``splay`` puts it off by at most that)."""

    entry: str
    at: float


def expected(schedule: Mapping[str, Entry], zone: ZoneInfo, since: float, until: float) -> list[Planned]:
    """Return when the enabled entries should begin from ``since`` until before ``until``, in order."""
    found = [
        Planned(name, at)
        for name, entry in schedule.items()
        if entry.enabled
        for at in _moments(entry, zone, since, until)
        if since <= at < until
    ]
    return sorted(found, key=lambda planned: (planned.at, planned.entry))


def _moments(entry: Entry, zone: ZoneInfo, since: float, until: float) -> Iterator[float]:
    if entry.every is not None:
        first, last = math.ceil(since / entry.every), math.ceil(until / entry.every)
        yield from (float(number * entry.every) for number in range(first, last))
        return
    day, final = day_of(since, zone) - ONE_DAY, day_of(until, zone)
    while day <= final:
        if includes(entry, day):
            yield moment(day, entry.clock, zone)
        day += ONE_DAY


def includes(entry: Entry, day: datetime.date) -> bool:
    """True when an entry with ``at`` begins on this day of the client's calendar."""
    if entry.days is not None:
        return DAYS[day.weekday()] in entry.days
    return entry.month_days is None or day.day in entry.month_days


@functools.lru_cache(maxsize=64)
def changing(zone: ZoneInfo, year: int) -> frozenset[datetime.time]:
    """Return the times of day, to the minute, that clocks of a zone skip or show twice on some day of a year."""
    found: set[datetime.time] = set()
    day = datetime.date(year, 1, 1)
    while day.year == year:
        if _offset(day, datetime.time(), zone, 0) != _offset(day + ONE_DAY, datetime.time(), zone, 1):
            for minute in range(24 * 60):
                time = datetime.time(minute // 60, minute % 60)
                if _offset(day, time, zone, 0) != _offset(day, time, zone, 1):
                    found.add(time)
        day += ONE_DAY
    return frozenset(found)


def _offset(day: datetime.date, time: datetime.time, zone: ZoneInfo, fold: int) -> datetime.timedelta | None:
    """Return the offset that a local time has; skipped and repeated times have two, by ``fold`` (PEP 495)."""
    return datetime.datetime.combine(day, time, zone).replace(fold=fold).utcoffset()
