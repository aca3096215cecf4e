# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the months of Windows' cumulative updates. Pure.

Security updates of Windows come out on the second Tuesday of a month, at 10:00 in Redmond, and each holds all before it
(learn.microsoft.com, "Windows quality updates"). So a host that is three months behind is offered one update, some days
old: how long it lacks fixes is told by the update that followed the one it has.
"""

from __future__ import annotations

import datetime
import re
import typing as t
from collections.abc import Mapping

# 10:00 in Redmond, in winter; in summer an hour earlier.
_HOUR_UTC = 18
_MONTH = re.compile(r"^(20\d\d)-(0[1-9]|1[0-2])\b")
_BUILD = re.compile(r"\((\d{5}\.\d{2,6})\)\s*$")
_NEVER = 0
# Monthly updates of Windows are far larger; others of a dated title (servicing stack, Secure Boot) far smaller.
_SMALLEST = 50 * 1024 * 1024


def patch_tuesday(year: int, month: int) -> float:
    """Epoch seconds of the second Tuesday of a month, when its updates are out."""
    first = datetime.date(year, month, 1)
    day = first + datetime.timedelta(days=(1 - first.weekday()) % 7 + 7)
    return datetime.datetime(day.year, day.month, day.day, _HOUR_UTC, tzinfo=datetime.UTC).timestamp()


def newest_at(at: float) -> str:
    """Month (``2026-11``) of the newest monthly update at a time."""
    moment = datetime.datetime.fromtimestamp(at, datetime.UTC)
    year, month = moment.year, moment.month
    if patch_tuesday(year, month) > at:
        year, month = (year - 1, 12) if month == 1 else (year, month - 1)
    return f"{year}-{month:02}"


def after(month: str) -> float:
    """When the update of the month after this one came out."""
    year, number = (int(part) for part in month.split("-"))
    return patch_tuesday(year + 1, 1) if number == 12 else patch_tuesday(year, number + 1)


def between(older: str, newer: str) -> int:
    """Number of months from one to the other."""
    (first, low), (last, high) = (tuple(int(part) for part in month.split("-")) for month in (older, newer))
    return (last - first) * 12 + high - low


def successor(build: Mapping[str, t.Any], at: float) -> float | None:
    """When the update that followed this build came out; None when there is none yet, or nobody knows the build's."""
    if not build.get("month"):
        return None
    moment = after(build["month"])
    return moment if moment <= at else None


def of_title(title: str) -> str | None:
    """The month that a title begins with, in every language; None for one without."""
    found = _MONTH.match(title)
    return f"{found[1]}-{found[2]}" if found else None


def is_dated(title: str) -> bool:
    """True for a title of Windows itself with its month in it; what is of .NET says so in every language."""
    return of_title(title) is not None and ".NET" not in title


def is_cumulative(update: Mapping[str, t.Any]) -> bool:
    """True for a monthly update of Windows itself, as Windows Update offers it.

    Newer titles end in the build that they bring. Older ones begin with a month, which updates of .NET do, too, and so
    do small ones that never restart the host.
    """
    title = str(update["title"])
    if ".NET" in title:
        return False
    if _BUILD.search(title):
        return True
    if of_title(title) is None or update.get("reboot_behavior") == _NEVER:
        return False
    return int(update.get("size") or 0) >= _SMALLEST
