# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what a client declares of its calendar: windows, blackouts, who may work in an emergency.

``keepwell_windows``, ``keepwell_blackouts`` and ``keepwell_emergency``, typed. Pure.
"""

from __future__ import annotations

import datetime
import functools
import typing as t

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from ansible_collections.keepwell.fleet.plugins.plugin_utils import as_written
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import DAY
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.kinds import KINDS, Kind
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.rules import (
    CalendarDay,
    Part,
    Rule,
    words,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.times import (
    Elapsed,
    Length,
    TimeOfDay,
    seconds,
)

Kinds = t.Annotated[
    tuple[Kind, ...], BeforeValidator(words), Field(min_length=1), as_written.many({"enum": list(KINDS)})
]
Groups = t.Annotated[tuple[str, ...], BeforeValidator(words), as_written.many({"type": "string"})]


class _Dated(Part):
    """Something that holds from one day to another, both included; without them always."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    since: CalendarDay | None = Field(None, alias="from")
    to: CalendarDay | None = None
    targets: Groups = Field((), description="inventory groups it is for; empty: every host")

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> t.Self:
        if self.since and self.to and self.to < self.since:
            raise ValueError("to is before from")
        return self

    def covers(self, day: datetime.date) -> bool:
        """True when the day lies between its dates."""
        return (self.since is None or self.since <= day) and (self.to is None or day <= self.to)

    def is_for(self, groups: t.Collection[str]) -> bool:
        """True when it is for a host of these groups."""
        return not self.targets or any(group in groups for group in self.targets)


class Terms(_Dated):
    """One entry of ``keepwell_windows``."""

    rule: Rule
    start: TimeOfDay
    duration: Length
    cutoff: Elapsed = 0.0
    allow: Kinds

    @model_validator(mode="after")
    def _some_time_is_left(self) -> t.Self:
        if self.cutoff >= self.duration:
            raise ValueError("cutoff leaves no time: it should be shorter than duration")
        return self

    def includes(self, day: datetime.date) -> bool:
        """True when a window begins on this day."""
        return self.covers(day) and self.rule.includes(day)


class Holidays(Part):
    """The public holidays of a country, or of a part of one."""

    country: str = Field(pattern=r"^[A-Z]{2}$")
    subdiv: str | None = None

    @model_validator(mode="after")
    def _is_known(self) -> Holidays:
        # Loads a calendar for every country: only for whoever asks for one.
        import holidays

        known = holidays.list_supported_countries(include_aliases=True)
        if self.country not in known:
            raise ValueError(f"country {self.country} is unknown; it should be a code like NL or DE")
        if self.subdiv is not None and self.subdiv not in known[self.country]:
            raise ValueError(f"subdiv {self.subdiv} is unknown in {self.country}: {', '.join(known[self.country])}")
        return self

    def names(self, year: int) -> dict[datetime.date, str]:
        """The holidays of a year, by day."""
        return _holidays_of(self.country, self.subdiv, year)


@functools.lru_cache(maxsize=64)
def _holidays_of(country: str, subdiv: str | None, year: int) -> dict[datetime.date, str]:
    import holidays

    return dict(holidays.country_holidays(country, subdiv=subdiv, years=year).items())


class BlackoutTerms(_Dated):
    """One entry of ``keepwell_blackouts``: days (from, to), a recurring time (rule, start, duration) or holidays."""

    name: str = ""
    scope: Kinds = KINDS
    rule: Rule | None = None
    start: TimeOfDay | None = None
    duration: (
        t.Annotated[float, BeforeValidator(seconds), Field(gt=0, le=31 * DAY), as_written.text(as_written.ELAPSED)]
        | None
    ) = None
    holidays: Holidays | None = None

    @model_validator(mode="after")
    def _is_one_kind(self) -> t.Self:
        recurring = (self.rule, self.start, self.duration)
        if self.holidays is not None:
            if any(part is not None for part in recurring):
                raise ValueError("holidays are whole days: without rule, start and duration")
        elif self.rule is not None or self.start is not None or self.duration is not None:
            if any(part is None for part in recurring):
                raise ValueError("a recurring blackout needs rule, start and duration")
        elif self.since is None or self.to is None:
            raise ValueError("it needs from and to, or rule with start and duration, or holidays")
        if self.holidays is None and not self.name:
            raise ValueError("it needs a name: people read it when nothing may be done")
        return self

    @property
    def title(self) -> str:
        """What people call it."""
        if self.name or self.holidays is None:
            return self.name
        return f"public holidays {'-'.join(filter(None, (self.holidays.country, self.holidays.subdiv)))}"


class Emergency(Part):
    """``keepwell_emergency``: what may be done outside of windows when somebody answers for it."""

    allow: Kinds
