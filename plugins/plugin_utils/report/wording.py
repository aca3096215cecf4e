# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: dates, times, lengths and numbers as a client's people write them. Pure.

Nothing is rounded to the better: a share below all is never 100 %, and 47 hours are no two days.
"""

from __future__ import annotations

import datetime
import gettext
import math
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import DAY, HOUR, size_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.languages import WRITINGS
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import epoch
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.catalogues import language_in

_FIRM = "\u00a0"
_HOURS_BELOW = 72
_MINUTE = 60.0


def day(language: str, date: datetime.date) -> str:
    """Return ``23 Nov 2026``, ``23. Nov 2026``: a date in a table, whatever the year."""
    writing = WRITINGS[language]
    told = writing.short.format(day=date.day, month=writing.short_months[date.month - 1])
    return f"{told} {date.year}".replace(_FIRM, " ")


def duration(texts: gettext.NullTranslations, seconds: float) -> str:
    """Return ``3 days``, ``5 hours``, ``40 minutes``, ``12 s``; never rounded up."""
    whole = abs(seconds)
    if whole >= DAY:
        days = int(whole // DAY)
        return texts.ngettext("{n} day", "{n} days", days).format(n=days)
    if whole >= HOUR:
        hours = int(whole // HOUR)
        return texts.ngettext("{n} hour", "{n} hours", hours).format(n=hours)
    if whole >= _MINUTE:
        minutes = int(whole // _MINUTE)
        return texts.ngettext("{n} minute", "{n} minutes", minutes).format(n=minutes)
    return f"{int(whole)} s"


def decimal(language: str, text: str) -> str:
    """Return a number like ``1.9`` with the decimal sign of the language; it has no other points."""
    return text.replace(".", WRITINGS[language].decimal)


def binary_size(texts: gettext.NullTranslations, amount: float) -> str:
    """Return bytes as ``1.9 GiB``, in the units of programs."""
    return decimal(language_in(texts), size_text(amount))


@dataclass(frozen=True)
class Wording:
    """How things are written for one client. ``now`` is the end of the run."""

    language: str
    texts: gettext.NullTranslations
    zone: datetime.tzinfo
    now: float

    def local(self, timestamp: str) -> datetime.datetime:
        """Return a UTC timestamp on the client's clock."""
        return datetime.datetime.fromtimestamp(epoch(timestamp), datetime.UTC).astimezone(self.zone)

    def today(self) -> datetime.date:
        """The client's day at the end of the run."""
        return datetime.datetime.fromtimestamp(self.now, datetime.UTC).astimezone(self.zone).date()

    def date(self, day: datetime.date) -> str:
        """Return ``23 November 2026``, ``23. November 2026``."""
        writing = WRITINGS[self.language]
        return writing.day.format(day=day.day, month=writing.months[day.month - 1], year=day.year)

    def short(self, day: datetime.date) -> str:
        """Return ``23 Nov``; with the year where it is not the run's."""
        writing = WRITINGS[self.language]
        form = writing.short if day.year == self.today().year else f"{writing.short} {{year}}"
        return form.format(day=day.day, month=writing.short_months[day.month - 1], year=day.year)

    def day(self, timestamp: str) -> str:
        """Return the date of a timestamp, short."""
        return self.short(self.local(timestamp).date())

    def clock(self, timestamp: str) -> str:
        """Return ``22:00``."""
        return f"{self.local(timestamp):%H:%M}"

    def moment(self, timestamp: str) -> str:
        """Return ``23 November 2026, 04:12``."""
        return f"{self.date(self.local(timestamp).date())}, {self.clock(timestamp)}"

    def number(self, value: float, digits: int = 0) -> str:
        """Return ``1,234.5``, rounded down."""
        writing = WRITINGS[self.language]
        scale = 10**digits
        plain = f"{math.floor(value * scale + 1e-9) / scale:,.{digits}f}"
        return plain.translate(str.maketrans(",.", writing.thousands + writing.decimal))

    def percent(self, share: float, digits: int = 1) -> str:
        """Return a share of 1 as ``99.9 %``, without zeros at its end."""
        mark = WRITINGS[self.language].decimal
        told = self.number(100 * share, digits)
        return f"{told.rstrip('0').rstrip(mark) if digits else told}{_FIRM}%"

    def size(self, amount: float) -> str:
        """Return bytes as ``12.3 GB``, in units of a thousand as disks are sold."""
        units = ("kB", "MB", "GB", "TB")
        value, unit = amount / 1000, units[0]
        for bigger in units[1:]:
            if value < 1000:
                break
            value, unit = value / 1000, bigger
        return f"{self.number(value, 1 if value < 100 else 0)}{_FIRM}{unit}"

    def length(self, seconds: float) -> str:
        """Return ``40 minutes``, ``27 hours``, ``3 days``; below three days in hours: what is late must look so."""
        whole = abs(seconds)
        hours = int(whole // HOUR)
        if hours >= _HOURS_BELOW:
            return self.days(int(whole // DAY))
        if hours:
            return self.texts.ngettext("{n} hour", "{n} hours", hours).format(n=hours)
        minutes = int(whole // 60)
        return self.texts.ngettext("{n} minute", "{n} minutes", minutes).format(n=minutes)

    def days(self, number: int) -> str:
        """Return ``1 day``, ``14 days``."""
        return self.texts.ngettext("{n} day", "{n} days", number).format(n=self.number(number))

    def machines(self, number: int) -> str:
        """Return ``1 machine``, ``14 machines``."""
        return self.texts.ngettext("{n} machine", "{n} machines", number).format(n=self.number(number))

    def name(self, text: str, limit: int = 40) -> str:
        """Return a name that fits into a line; one that was longer ends with an ellipsis."""
        return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
