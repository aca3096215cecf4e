# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: on which days something recurs. Pure.

A rule (weekly, a weekday of the month, Patch Tuesday, rrule, once) answers one question: does it hold on this local
day?
"""

from __future__ import annotations

import calendar
import datetime
import functools
import re
import typing as t
from collections.abc import Mapping

from dateutil.rrule import rrulestr
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from ansible_collections.keepwell.fleet.plugins.plugin_utils import as_written

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Day = t.Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_ORDER = {"1st": 1, "2nd": 2, "3rd": 3, "4th": 4, "last": -1}
_TUESDAY = 1
# Day by day is what a window needs; anything finer would be a second start time.
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_FINER = ("BYHOUR", "BYMINUTE", "BYSECOND", "DTSTART", "UNTIL")
# One rule in one line: a second line would bring a beginning, exceptions or a set of its own.
_ONE_RULE = re.compile(r"[A-Z]+=[A-Z0-9,+-]+(?:;[A-Z]+=[A-Z0-9,+-]+)*")
# Of days, and within what a calendar can reckon with.
_COUNTED = re.compile(r"[1-9]\d{0,3}")
# The day from which intervals are counted where the rule itself does not say: a Monday and the first of a year.
_ANCHOR = datetime.date(2024, 1, 1)
_FIRST_YEAR, _LAST_YEAR = 2000, 2199


class Part(BaseModel):
    """A part of a declaration. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _of_our_time(value: datetime.date) -> datetime.date:
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        raise ValueError(f"should be a day from {_FIRST_YEAR} to {_LAST_YEAR}")
    return value


# Zones and holidays are known for these, and the day after the last of them exists.
CalendarDay = t.Annotated[datetime.date, AfterValidator(_of_our_time)]


def words(value: t.Any) -> t.Any:
    """``sat,sun`` and ``[sat, sun]`` are the same."""
    return [word.strip() for word in value.split(",")] if isinstance(value, str) else value


class Weekly(Part):
    """On these days of every week."""

    weekly: t.Annotated[
        tuple[Day, ...], BeforeValidator(words), Field(min_length=1), as_written.many({"enum": list(DAYS)})
    ]

    def includes(self, day: datetime.date) -> bool:
        """True when the rule holds on this day."""
        return DAYS[day.weekday()] in self.weekly


class Monthly(Part):
    """On such weekdays of every month: ``1st sun``, ``last fri``, several with commas."""

    monthly: t.Annotated[
        tuple[str, ...],
        BeforeValidator(words),
        Field(min_length=1),
        as_written.many({"type": "string", "pattern": f"^({'|'.join(_ORDER)}) ({'|'.join(DAYS)})$"}),
    ]

    @field_validator("monthly")
    @classmethod
    def _names_days(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            order, _space, day = entry.partition(" ")
            if order not in _ORDER or day not in DAYS:
                raise ValueError(f"'{entry}' should be like '1st sun', '3rd tue' or 'last fri'")
        return value

    def includes(self, day: datetime.date) -> bool:
        """True when the rule holds on this day."""
        from_start = (day.day - 1) // 7 + 1
        is_last = day.day + 7 > calendar.monthrange(day.year, day.month)[1]
        for entry in self.monthly:
            order, _space, name = entry.partition(" ")
            if DAYS[day.weekday()] == name and (is_last if order == "last" else from_start == _ORDER[order]):
                return True
        return False


class Anchored(Part):
    """Some days after Patch Tuesday, the second Tuesday of the month (Microsoft's release day)."""

    anchor: t.Literal["patch_tuesday"]
    offset_days: int = Field(0, ge=-20, le=40)

    def includes(self, day: datetime.date) -> bool:
        """True when the rule holds on this day."""
        anchor = day - datetime.timedelta(days=self.offset_days)
        return anchor.weekday() == _TUESDAY and 8 <= anchor.day <= 14


class Recurring(Part):
    """A recurrence rule of RFC 5545, day by day; ``from`` is where intervals are counted from."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    rrule: str
    since: CalendarDay | None = Field(None, alias="from")

    @model_validator(mode="after")
    def _is_a_rule_of_days(self) -> Recurring:
        text = self.rrule.upper()
        if not _ONE_RULE.fullmatch(text):
            raise ValueError("rrule should be one rule in one line, like FREQ=WEEKLY;INTERVAL=2;BYDAY=SA")
        pairs = [part.partition("=")[::2] for part in text.split(";")]
        parts = dict(pairs)
        if len(parts) < len(pairs):
            raise ValueError("rrule says the same part twice")
        if parts.get("FREQ") not in _FREQUENCIES:
            raise ValueError(f"rrule needs FREQ, one of {', '.join(_FREQUENCIES)}")
        finer = [key for key in _FINER if key in parts]
        if finer:
            raise ValueError(f"rrule must not have {finer[0]}: start, duration, from and to say that")
        for key in ("INTERVAL", "COUNT"):
            if not _COUNTED.fullmatch(parts.get(key, "1")):
                raise ValueError(f"rrule has {key}={parts[key]}; it should be 1 to 9999")
        if self.since is None and ("COUNT" in parts or parts.get("INTERVAL", "1") != "1"):
            raise ValueError("rrule with INTERVAL or COUNT needs from: a date to count from")
        try:
            self._days(2026)
        except (ValueError, TypeError, KeyError) as exc:
            raise ValueError(f"rrule cannot be read: {exc}") from exc
        return self

    def includes(self, day: datetime.date) -> bool:
        """True when the rule holds on this day."""
        return day in self._days(day.year)

    def _days(self, year: int) -> frozenset[datetime.date]:
        return _days_of(self.rrule, self.since or _ANCHOR, year)


@functools.lru_cache(maxsize=256)
def _days_of(text: str, since: datetime.date, year: int) -> frozenset[datetime.date]:
    rule = rrulestr(text, dtstart=datetime.datetime.combine(since, datetime.time()))
    first, last = datetime.datetime(year, 1, 1), datetime.datetime(year, 12, 31)  # noqa: DTZ001 - days, not moments
    if "COUNT=" not in text.upper():
        # A rule that never holds would be looked through to the year 9999.
        rule = t.cast(t.Any, rule).replace(until=last)
    return frozenset(moment.date() for moment in rule.between(first, last, inc=True))


class Once(Part):
    """On one day."""

    once: CalendarDay

    def includes(self, day: datetime.date) -> bool:
        """True when the rule holds on this day."""
        return day == self.once


RULES: dict[str, type[Part]] = {
    "weekly": Weekly,
    "monthly": Monthly,
    "anchor": Anchored,
    "rrule": Recurring,
    "once": Once,
}
# Keys that belong to a rule beside its own name.
_MORE = {"anchor": {"offset_days"}, "rrule": {"from"}}


def _tag(value: t.Any) -> str | None:
    """Return which rule a mapping is."""
    if not isinstance(value, Mapping):
        return None
    names = [name for name in RULES if name in value]
    return names[0] if len(names) == 1 and set(value) - _MORE.get(names[0], set()) == {names[0]} else None


Rule = t.Annotated[
    t.Annotated[Weekly, Tag("weekly")]
    | t.Annotated[Monthly, Tag("monthly")]
    | t.Annotated[Anchored, Tag("anchor")]
    | t.Annotated[Recurring, Tag("rrule")]
    | t.Annotated[Once, Tag("once")],
    Discriminator(
        _tag,
        custom_error_type="rule",
        custom_error_message=f"should be a mapping with one of: {', '.join(RULES)}",
    ),
]
