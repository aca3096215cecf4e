# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: which days a report of a period is about. Pure."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.times import ONE_DAY, moment
from ansible_collections.keepwell.fleet.plugins.plugin_utils.settings import SettingsError

UTC = ZoneInfo("UTC")
_MIDNIGHT = datetime.time()


@dataclass(frozen=True)
class Asked:
    """What a person said: all empty means the last month that is over."""

    month: str = ""
    first: str = ""
    last: str = ""
    as_of: str = ""


@dataclass(frozen=True)
class Days:
    """Days of the client's calendar, both included, and the moments (epoch) at which they begin and end."""

    first: datetime.date
    last: datetime.date
    begin: float
    end: float


def days(asked: Asked, zone: ZoneInfo, now: float) -> Days:
    """Return the days that were asked for. ``as_of`` cuts them off at the end of a day, as if it were today.

    Raises SettingsError with a sentence.
    """
    as_of = _day("keepwell_as_of", asked.as_of)
    today = datetime.datetime.fromtimestamp(now, zone).date()
    if as_of is not None:
        today = min(today, as_of)
    try:
        first, last = _chosen(asked, today, cut=as_of is not None)
    except OverflowError as exc:
        raise SettingsError([f"keepwell_month: '{asked.month}' is beyond any calendar."]) from exc
    if first > last:
        raise SettingsError([f"The period ends on {last} and begins on {first}: change keepwell_from or keepwell_to."])
    if first > today:
        raise SettingsError([f"The period begins on {first}, which is still to come."])
    if last == datetime.date.max:
        raise SettingsError([f"keepwell_to: {last} is beyond any calendar. Leave it out for today."])
    if as_of is not None:
        last = min(last, as_of)
    return Days(first, last, moment(first, _MIDNIGHT, zone), moment(last + ONE_DAY, _MIDNIGHT, zone))


def _chosen(asked: Asked, today: datetime.date, *, cut: bool) -> tuple[datetime.date, datetime.date]:
    if asked.month and (asked.first or asked.last):
        raise SettingsError(["keepwell_month and keepwell_from, keepwell_to say two periods: give one of them."])
    if asked.month:
        if not re.fullmatch(r"[1-9]\d{3}-(0[1-9]|1[0-2])", asked.month):
            raise SettingsError([f"keepwell_month must be a month like 2026-10 (given: '{asked.month}')."])
        return _month(datetime.date.fromisoformat(f"{asked.month}-01"))
    first = _day("keepwell_from", asked.first)
    last = _day("keepwell_to", asked.last)
    if first is not None:
        return first, last or today
    if last is not None:
        raise SettingsError(["keepwell_to needs keepwell_from: where does the period begin?"])
    # As of a day, the month of that day; else the last month that is over.
    return _month(today.replace(day=1) if cut else today.replace(day=1) - ONE_DAY)


def _month(inside: datetime.date) -> tuple[datetime.date, datetime.date]:
    first = inside.replace(day=1)
    return first, (first + datetime.timedelta(days=32)).replace(day=1) - ONE_DAY


def _day(variable: str, text: str) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(text) if text else None
    except ValueError as exc:
        raise SettingsError([f"{variable} must be a day like 2026-10-31 (given: '{text}')."]) from exc
