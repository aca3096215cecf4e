# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: a client's calendar for one host: when which work may begin. Pure.

A window begins at a local time of the client and lasts an elapsed time. Blackouts always win over windows. Without a
window nothing is open, and what cannot be understood opens nothing.
"""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.rules import RULES, Part
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.terms import (
    BlackoutTerms,
    Emergency,
    Terms,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.times import (
    ONE_DAY,
    day_of,
    find_zone,
    moment,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.policy import nearest

VARIABLES = (
    "keepwell_windows",
    "keepwell_window",
    "keepwell_blackouts",
    "keepwell_emergency",
    "keepwell_emergency_approver",
    "keepwell_emergency_reason",
)
# How far ahead the next opening is looked for.
HORIZON_DAYS = 400
_MIDNIGHT = datetime.time()
# What keepwell_window says where it does not matter: an empty answer is none to a form that requires one.
ANY_WINDOW = "any"


class Span(t.NamedTuple):
    """From when to when (epoch)."""

    begin: float
    end: float


@dataclass(frozen=True)
class Window:
    """A named window on the client's clock."""

    name: str
    zone: ZoneInfo
    terms: Terms

    def spans(self, first: datetime.date, last: datetime.date) -> Iterator[Span]:
        """Yield the windows that begin on these local days, in order."""
        for day in _days(first, last):
            if self.terms.includes(day):
                begin = moment(day, self.terms.start, self.zone)
                yield Span(begin, begin + self.terms.duration)

    def current(self, now: float) -> Span | None:
        """Return the window that ``now`` lies in; of several the one that ends last."""
        first = day_of(now - self.terms.duration, self.zone) - ONE_DAY
        around = [span for span in self.spans(first, day_of(now, self.zone) + ONE_DAY) if span.begin <= now < span.end]
        return max(around, key=lambda span: span.end, default=None)

    def after(self, now: float) -> Iterator[Span]:
        """Yield the windows that begin after ``now``, in order."""
        today = day_of(now, self.zone)
        for span in self.spans(today, today + datetime.timedelta(days=HORIZON_DAYS)):
            if span.begin > now:
                yield span


@dataclass(frozen=True)
class Blackout:
    """A time in which such work never begins."""

    zone: ZoneInfo
    terms: BlackoutTerms

    def spans(self, first: datetime.date, last: datetime.date) -> Iterator[tuple[Span, str]]:
        """Yield the blackouts, with what people call them, that touch these local days or begin on them."""
        terms = self.terms
        if terms.rule is None and terms.holidays is None:
            if terms.since is not None and terms.to is not None and terms.since <= last and first <= terms.to:
                yield self._whole(terms.since, terms.to), terms.title
            return
        for day in _days(first, last):
            if not terms.covers(day):
                continue
            if terms.holidays is not None:
                name = terms.holidays.names(day.year).get(day)
                if name:
                    yield self._whole(day, day), name
            elif terms.rule is not None and terms.start is not None and terms.rule.includes(day):
                begin = moment(day, terms.start, self.zone)
                yield Span(begin, begin + (terms.duration or 0.0)), terms.title

    def _whole(self, first: datetime.date, last: datetime.date) -> Span:
        return Span(moment(first, _MIDNIGHT, self.zone), moment(last + ONE_DAY, _MIDNIGHT, self.zone))

    def around(self, begin: float, end: float) -> list[tuple[Span, str]]:
        """Return the blackouts that touch the time from ``begin`` to ``end``."""
        first = day_of(begin - (self.terms.duration or 0.0), self.zone) - ONE_DAY
        found = self.spans(first, day_of(end, self.zone) + ONE_DAY)
        return [(span, name) for span, name in found if span.begin < end and begin < span.end]


@dataclass(frozen=True)
class Calendar:
    """What holds for one host.

    ``emergency_by`` is (approver, reason) where somebody answers for this run, ``only`` the window that the run is for
    ("": any), ``declared`` the names of all windows, those for other hosts as well.
    """

    zone: ZoneInfo
    windows: Sequence[Window] = ()
    blackouts: Sequence[Blackout] = ()
    emergency: Emergency | None = None
    emergency_by: tuple[str, str] | None = None
    only: str = ""
    declared: tuple[str, ...] = ()

    def closing(self, what: str, begin: float, end: float) -> tuple[Span, str] | None:
        """Return the first blackout of such work that touches this time."""
        found = [
            entry
            for blackout in self.blackouts
            if what in blackout.terms.scope
            for entry in blackout.around(begin, end)
        ]
        return min(found, key=lambda entry: entry[0].begin, default=None)


NOTHING = Calendar(ZoneInfo("UTC"))


def build(
    variables: Mapping[str, t.Any],
    timezone: str,
    groups: t.Collection[str] = (),
    known_groups: t.Collection[str] | None = None,
) -> tuple[Calendar, list[str]]:
    """Return the calendar that the variables of a host in these groups declare, and every mistake in them.

    A mistake is one sentence. With ``known_groups``, those of the inventory, targets that name no group are mistakes.
    """
    given = {name.removeprefix("keepwell_"): variables.get(name) for name in VARIABLES}
    if not any(given.values()):
        return NOTHING, []
    zone = find_zone(timezone)
    if zone is None:
        named = next(name for name, value in given.items() if value)
        return NOTHING, [f"keepwell_client.timezone: '{timezone}' is unknown here, and keepwell_{named} needs it."]
    problems: list[str] = []
    declared = _windows(given["windows"], problems)
    closed = _blackouts(given["blackouts"], problems)
    if known_groups is not None:
        problems += _lost([(f"keepwell_windows.{name}", terms) for name, terms in declared.items()], known_groups)
        problems += _lost([(f"keepwell_blackouts.{terms.title}", terms) for terms in closed], known_groups)
    only = _only(given["window"])
    windows = [
        Window(name, zone, terms) for name, terms in declared.items() if terms.is_for(groups) and only in ("", name)
    ]
    blackouts = [Blackout(zone, terms) for terms in closed if terms.is_for(groups)]
    emergency = _emergency(given["emergency"], problems)
    by = _answers(given["emergency_approver"], given["emergency_reason"], emergency, problems)
    if problems:
        return NOTHING, problems
    return Calendar(zone, windows, blackouts, emergency, by, only, tuple(declared)), []


def _only(value: t.Any) -> str:
    """Return the name of the window that a run is for, "" where it is for any."""
    name = str(value or "").strip()
    return "" if name == ANY_WINDOW else name


def _lost(declared: Sequence[tuple[str, Terms | BlackoutTerms]], known: t.Collection[str]) -> list[str]:
    """Return the targets that are no group of the inventory: they would silently hold for nobody."""
    return [
        f"{where}.targets: the inventory has no group '{group}'.{nearest(group, sorted(known))}"
        for where, terms in declared
        for group in terms.targets
        if group not in known
    ]


def _windows(value: t.Any, problems: list[str]) -> dict[str, Terms]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        problems.append(f"keepwell_windows must be a mapping of named windows, not {type(value).__name__}.")
        return {}
    found = {}
    for name, entry in value.items():
        try:
            found[str(name)] = Terms.model_validate(entry)
        except ValidationError as exc:
            problems += [_problem(f"keepwell_windows.{name}", Terms, entry, error) for error in exc.errors()]
    return found


def _blackouts(value: t.Any, problems: list[str]) -> list[BlackoutTerms]:
    if value is None:
        return []
    if not isinstance(value, Sequence) or isinstance(value, str):
        problems.append(f"keepwell_blackouts must be a list, not {type(value).__name__}.")
        return []
    found = []
    for number, entry in enumerate(value, 1):
        name = str(entry.get("name") or number) if isinstance(entry, Mapping) else str(number)
        try:
            found.append(BlackoutTerms.model_validate(entry))
        except ValidationError as exc:
            problems += [_problem(f"keepwell_blackouts.{name}", BlackoutTerms, entry, error) for error in exc.errors()]
    return found


def _emergency(value: t.Any, problems: list[str]) -> Emergency | None:
    if value is None:
        return None
    try:
        return Emergency.model_validate(value)
    except ValidationError as exc:
        problems += [_problem("keepwell_emergency", Emergency, value, error) for error in exc.errors()]
        return None


def _answers(
    approver: t.Any, reason: t.Any, emergency: Emergency | None, problems: list[str]
) -> tuple[str, str] | None:
    who, why = str(approver or "").strip(), str(reason or "").strip()
    if not (who or why):
        return None
    if emergency is None:
        problems.append(
            "keepwell_emergency_approver: keepwell_emergency of this client allows nothing outside of windows."
        )
    elif not (who and why):
        lacking = "keepwell_emergency_reason" if who else "keepwell_emergency_approver"
        problems.append(f"{lacking}: an emergency needs both: who answers for it, and why it cannot wait.")
    else:
        return who, why
    return None


def _problem(where: str, model: type[Part], entry: t.Any, error: t.Any) -> str:
    # A tagged union names its tag as a part of the place; the rule's own key says the same.
    parts = [str(part) for place, part in enumerate(error["loc"]) if not (place == 1 and part in RULES)]
    message = str(error["msg"]).removeprefix("Value error, ")
    hint = ""
    if error["type"] == "extra_forbidden":
        known = [field.alias or name for name, field in model.model_fields.items()]
        hint = nearest(parts[-1], known)
    elif error["type"] == "rule" and isinstance(entry.get("rule"), Mapping) and len(entry["rule"]) == 1:
        hint = nearest(str(next(iter(entry["rule"]))), RULES)
    return f"{'.'.join([where, *parts])}: {message}.{hint}"


def _days(first: datetime.date, last: datetime.date) -> Iterator[datetime.date]:
    day = first
    while day <= last:
        yield day
        day += ONE_DAY
