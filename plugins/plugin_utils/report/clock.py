# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: times as a person reads them, in their language and the client's time zone.

``now`` is the run's end.
"""

from __future__ import annotations

import gettext
import zoneinfo
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import epoch
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.catalogues import language_in
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.wording import day, duration


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
    texts: gettext.NullTranslations = field(default_factory=gettext.NullTranslations)

    def day(self, timestamp: str) -> str:
        """Return ``23 Nov 2026``."""
        return day(language_in(self.texts), self._local(timestamp).date())

    def moment(self, timestamp: str) -> str:
        """Return ``23 Nov 2026, 04:12``."""
        local = self._local(timestamp)
        return f"{self.day(timestamp)}, {local.hour:02d}:{local.minute:02d}"

    def age(self, timestamp: str) -> str:
        """Return how long before the end of the run something was: ``3 days``; never rounded up."""
        return duration(self.texts, max(0.0, self.now - epoch(timestamp)))

    def known_for(self, timestamp: str, started_at: str) -> str:
        """Return the age of something that was known before the run began; "" for what this run found first."""
        return "" if timestamp >= started_at else self.age(timestamp)

    def deadline(self, timestamp: str | None) -> Deadline | None:
        """Return a deadline with its distance, or None."""
        if timestamp is None:
            return None
        away = epoch(timestamp) - self.now
        return Deadline(timestamp, self.day(timestamp), away < 0, duration(self.texts, away))

    def _local(self, timestamp: str) -> datetime:
        return datetime.fromtimestamp(epoch(timestamp), UTC).astimezone(self.zone)


def clock_for(timezone: str, now: float, texts: gettext.NullTranslations | None = None) -> tuple[Clock, str]:
    """Return the client's clock and, when its time zone is not known here, a warning (UTC is used and printed).

    ``texts`` are in the language in which it tells times; English without them.
    """
    texts = texts or gettext.NullTranslations()
    try:
        return Clock(now, zoneinfo.ZoneInfo(timezone), timezone, texts), ""
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        warning = f"The time zone '{timezone}' is not known on this control node; times are UTC."
        return Clock(now, UTC, "UTC", texts), warning
