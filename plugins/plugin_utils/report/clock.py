# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: times as a person reads them, in the client's time zone. ``now`` is the run's end."""

from __future__ import annotations

import zoneinfo
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import duration_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import epoch

# strftime's month names follow the process locale; a report must not.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Deadline:
    """A date by which something must be done, seen from the end of the run."""

    iso: str
    day: str
    overdue: bool
    distance: str


@dataclass(frozen=True)
class Clock:
    """Turns UTC timestamps into words. ``zone_name`` is printed, so that nobody has to guess."""

    now: float
    zone: tzinfo
    zone_name: str

    def day(self, timestamp: str) -> str:
        """Return ``23 Nov 2026``."""
        local = self._local(timestamp)
        return f"{local.day} {_MONTHS[local.month - 1]} {local.year}"

    def moment(self, timestamp: str) -> str:
        """Return ``23 Nov 2026, 04:12``."""
        local = self._local(timestamp)
        return f"{self.day(timestamp)}, {local.hour:02d}:{local.minute:02d}"

    def age(self, timestamp: str) -> str:
        """Return how long before the end of the run something was: ``3 days``; never rounded up."""
        return duration_text(max(0.0, self.now - epoch(timestamp)))

    def known_for(self, timestamp: str, started_at: str) -> str:
        """Return the age of something that was known before the run began; "" for what this run found first."""
        return "" if timestamp >= started_at else self.age(timestamp)

    def deadline(self, timestamp: str | None) -> Deadline | None:
        """Return a deadline with its distance, or None."""
        if timestamp is None:
            return None
        away = epoch(timestamp) - self.now
        return Deadline(timestamp, self.day(timestamp), away < 0, duration_text(away))

    def _local(self, timestamp: str) -> datetime:
        return datetime.fromtimestamp(epoch(timestamp), UTC).astimezone(self.zone)


def clock_for(timezone: str, now: float) -> tuple[Clock, str]:
    """Return the client's clock and, when its time zone is not known here, a warning (UTC is used and printed)."""
    try:
        return Clock(now, zoneinfo.ZoneInfo(timezone), timezone), ""
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return Clock(now, UTC, "UTC"), f"The time zone '{timezone}' is not known on this control node; times are UTC."
