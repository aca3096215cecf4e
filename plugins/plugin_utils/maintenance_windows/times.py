# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: local times, elapsed times and days, as declarations of windows write them. Pure."""

from __future__ import annotations

import datetime
import re
import typing as t
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field

from ansible_collections.keepwell.fleet.plugins.plugin_utils import as_written
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import DAY, HOUR
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.rules import DAYS

MINUTE = 60.0
ONE_DAY = datetime.timedelta(days=1)


def seconds(value: t.Any) -> t.Any:
    """Return an elapsed time like ``4h``, ``45m`` or ``1h30m`` as seconds."""
    parts = re.fullmatch(r"(?:(\d{1,3})h)?(?:(\d{1,4})m)?", value) if isinstance(value, str) else None
    if parts is None or not value:
        raise ValueError("should be an elapsed time like 4h, 45m or 1h30m")
    return int(parts[1] or 0) * HOUR + int(parts[2] or 0) * MINUTE


def _time_of_day(value: t.Any) -> t.Any:
    """Return a local time like ``22:00``. YAML reads it without quotes as a number of minutes."""
    if not isinstance(value, str) or not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        raise ValueError('should be a time of day in quotes, like "22:00"')
    return datetime.time.fromisoformat(value)


Elapsed = t.Annotated[float, BeforeValidator(seconds), as_written.text(as_written.ELAPSED)]
Length = t.Annotated[float, BeforeValidator(seconds), Field(gt=0, le=7 * DAY), as_written.text(as_written.ELAPSED)]
TimeOfDay = t.Annotated[datetime.time, BeforeValidator(_time_of_day), as_written.text(r"^([01]\d|2[0-3]):[0-5]\d$")]


def moment(day: datetime.date, time: datetime.time, zone: ZoneInfo) -> float:
    """Return when a clock on the wall shows that (epoch).

    What it shows twice is the first, what it skips moves forward by the gap (fold=0, PEP 495).
    """
    return datetime.datetime.combine(day, time, zone).timestamp()


def day_of(at: float, zone: ZoneInfo) -> datetime.date:
    """Return the local day of a moment."""
    return datetime.datetime.fromtimestamp(at, zone).date()


def clock(at: float, zone: ZoneInfo) -> str:
    """Return a moment as the client's clock shows it, without regard to this machine's language."""
    local = datetime.datetime.fromtimestamp(at, zone)
    return f"{DAYS[local.weekday()].capitalize()} {local:%Y-%m-%d %H:%M} {zone.key}"


def length(span_s: float) -> str:
    """Return a length of time to the minute: ``4 hours``, ``1 hour 30 minutes``, ``2 days 1 hour``."""
    rest = round(span_s / MINUTE)
    parts = []
    for size, word in ((24 * 60, "day"), (60, "hour"), (1, "minute")):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {word}{'' if count == 1 else 's'}")
    return " ".join(parts) or "0 minutes"


def find_zone(name: str) -> ZoneInfo | None:
    """Return a time zone by its IANA name, or None when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
