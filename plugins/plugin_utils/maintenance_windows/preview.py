# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what is coming: the next windows of a client's hosts, and what looks wrong. Pure."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import DAY
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.calendar import Calendar, Window
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.decision import cut_text, openings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.kinds import KINDS
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.times import clock, length, moment
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso

# A client without a window for longer than this is not maintained (reports practice: monthly at the least).
LONGEST_WAIT_DAYS = 35
LONGEST_BLACKOUT_DAYS = 45
# Clocks change between these hours in most zones: such a start may be skipped, or shown twice.
_CHANGING = (datetime.time(2), datetime.time(3))


@dataclass(frozen=True)
class Coming:
    """One opening of a window, with the hosts it is for. Times are epoch seconds."""

    name: str
    begin: float
    end: float
    last: float
    allow: tuple[str, ...]
    hosts: tuple[str, ...]
    zone: ZoneInfo
    cut_by: str = ""

    def sentence(self) -> str:
        """Return it in one line: the client's clock, UTC, how long, what for, for how many hosts."""
        size = f"{len(self.hosts)} host{'' if len(self.hosts) == 1 else 's'}"
        return (
            f"{clock(self.begin, self.zone)} ({iso(self.begin)}), {length(self.end - self.begin)}: "
            f"'{self.name}' for {', '.join(self.allow)} on {size}{cut_text(self.cut_by)}"
        )


def coming(calendars: Mapping[str, Calendar], now: float, number: int) -> list[Coming]:
    """Return the next openings over all hosts, in order; one that is the same for several hosts is told once.

    Blackouts can close a window for some kinds of work only: what is allowed then is told apart.
    """
    found: dict[tuple[str, float, float, float, str, str], dict[str, set[str]]] = {}
    zones = {calendar.zone.key: calendar.zone for calendar in calendars.values()}
    for host, calendar in calendars.items():
        for what in KINDS:
            for opening in itertools.islice(openings(calendar, now, what), number):
                key = (
                    opening.window.name,
                    *opening.span,
                    opening.last,
                    opening.cut_by,
                    calendar.zone.key,
                )
                found.setdefault(key, {}).setdefault(host, set()).add(what)
    told = []
    for (name, begin, end, last, cut_by, zone), hosts in found.items():
        by_kinds: dict[tuple[str, ...], list[str]] = {}
        for host, kinds in hosts.items():
            by_kinds.setdefault(tuple(kind for kind in KINDS if kind in kinds), []).append(host)
        told += [
            Coming(name, begin, end, last, allow, tuple(sorted(names)), zones[zone], cut_by)
            for allow, names in by_kinds.items()
        ]
    return sorted(told, key=lambda entry: (entry.begin, entry.name, entry.hosts))[:number]


def warnings(calendars: Mapping[str, Calendar], now: float, used: Mapping[str, float] | None = None) -> list[str]:
    """Return what looks wrong, one sentence each, with the hosts.

    ``used`` is window -> the largest part (0 to 1) of it that its last run took, where that is known.
    """
    by_text: dict[str, list[str]] = {}
    for host, calendar in calendars.items():
        for text in _of_host(calendar, now, used or {}):
            by_text.setdefault(text, []).append(host)
    return [f"{text} [{_some(hosts)}]" for text, hosts in by_text.items()]


def _of_host(calendar: Calendar, now: float, used: Mapping[str, float]) -> Iterable[str]:
    if not calendar.windows:
        yield "No maintenance window: nothing that disturbs can ever be done."
        return
    kinds = [kind for kind in KINDS if any(kind in window.terms.allow for window in calendar.windows)]
    for kind in kinds:
        opening = next(openings(calendar, now, kind), None)
        if opening is None:
            yield f"No window for {kind} opens again."
        elif opening.span.begin - now > LONGEST_WAIT_DAYS * DAY:
            yield f"No window for {kind} opens within {LONGEST_WAIT_DAYS} days."
    for window in calendar.windows:
        if _CHANGING[0] <= window.terms.start < _CHANGING[1]:
            yield f"'{window.name}' starts between 02:00 and 03:00, when clocks change: choose another time."
        if used.get(window.name, 0.0) > 0.8:
            yield f"'{window.name}' is nearly too short: the last run took {used[window.name]:.0%} of it."
    for blackout in calendar.blackouts:
        terms = blackout.terms
        if terms.rule or terms.holidays or not (terms.since and terms.to):
            continue
        if (terms.to - terms.since).days >= LONGEST_BLACKOUT_DAYS:
            yield f"Blackout '{terms.title}' lasts more than {LONGEST_BLACKOUT_DAYS} days."
    for one, other in itertools.combinations(calendar.windows, 2):
        if _share_time(one, other, now):
            yield f"'{one.name}' and '{other.name}' overlap: work of both may meet."


def _share_time(one: Window, other: Window, now: float) -> bool:
    """True when two windows are open at the same time within the next weeks."""
    end = now + LONGEST_WAIT_DAYS * DAY
    first, second = (
        list(itertools.takewhile(lambda span: span.begin < end, window.after(now))) for window in (one, other)
    )
    return any(left.begin < right.end and right.begin < left.end for left in first for right in second)


def _some(hosts: Sequence[str]) -> str:
    shown = ", ".join(hosts[:3])
    return shown if len(hosts) <= 3 else f"{shown} and {len(hosts) - 3} more"


def text(client: str, found: Sequence[Coming], wrong: Sequence[str], now: float) -> str:
    """Return all of it for a person."""
    lines = [f"Maintenance windows of {client}, as of {iso(now)}"]
    lines += [f"  {entry.sentence()}" for entry in found] or ["  None opens."]
    return "\n".join([*lines, *(f"  ▲ {sentence}" for sentence in wrong)]) + "\n"


def holidays_frozen(calendars: Iterable[Calendar], now: float, days: int = LONGEST_WAIT_DAYS) -> dict[str, str]:
    """Return the holidays that close something soon, by day: for the evidence, because calendars of holidays change."""
    found: dict[str, str] = {}
    for calendar in calendars:
        for blackout in calendar.blackouts:
            if blackout.terms.holidays is not None:
                for span, name in blackout.around(now, now + days * DAY):
                    day = datetime.datetime.fromtimestamp(span.begin, calendar.zone).date()
                    if moment(day, datetime.time(), calendar.zone) == span.begin:
                        found[day.isoformat()] = name
    return dict(sorted(found.items()))
