# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: which playbook runs when for a client (``keepwell_schedule``), typed. Pure.

A schedule says what should run; systemd, cron and AWX are only told. Whether work that disturbs may begin is still
decided by the maintenance windows, whatever started it.
"""

from __future__ import annotations

import datetime
import re
import typing as t
from collections.abc import Mapping
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from ansible_collections.keepwell.fleet.plugins.plugin_utils import as_written
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import DAY, HOUR
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.rules import DAYS, Day, words
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.times import (
    MINUTE,
    Elapsed,
    TimeOfDay,
    seconds,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.policy import nearest
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.times import changing

ACTING = ("patching", "antivirus", "backup_verification", "disk_cleanup")
# Which chores a playbook can be asked to carry out (-e <chore>_act=true).
PLAYBOOKS: dict[str, tuple[str, ...]] = {
    "assess": (),
    "watch": (),
    "patch": ("patching",),
    "antivirus": ("antivirus",),
    "backup_verify": ("backup_verification",),
    "disk_cleanup": ("disk_cleanup",),
    "maintain": ACTING,
    "report": (),
    "period_report": (),
    "fleet_overview": (),
    "deliver": (),
    "verify": (),
}
# Reads the evidence of all clients: for the provider alone.
FLEET = "fleet_overview"
# What these do, they do for the whole client, on the control node.
WITHOUT_HOSTS = ("report", "period_report", "fleet_overview", "deliver", "verify")
# Parts of an hour and of a day that leave no remainder: the same moments every hour, and every day.
BEATS = (
    *(int(n * MINUTE) for n in (5, 6, 10, 12, 15, 20, 30)),
    *(int(n * HOUR) for n in (1, 2, 3, 4, 6, 8, 12, 24)),
)
DEFAULT_GRACE = 2 * HOUR
DEFAULT_LIMIT = int(2 * HOUR)
LONGEST_SPLAY = 15 * MINUTE
# Names are parts of names of units, files and job templates.
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
# What may be said to --limit: names, wildcards, and how Ansible joins them. No file, no shell, no systemd specifier.
_LIMIT = r"^[A-Za-z0-9_.*!][A-Za-z0-9_.*:,&!-]*$"
_TELL_BEATS = "5m, 6m, 10m, 12m, 15m, 20m, 30m, 1h, 2h, 3h, 4h, 6h, 8h, 12h or 24h"


def _beat(value: t.Any) -> t.Any:
    """Return a beat like ``5m`` or ``6h`` as seconds."""
    try:
        found = seconds(value)
    except ValueError:
        found = 0
    if found not in BEATS:
        raise ValueError(f"should be one of {_TELL_BEATS}: what leaves no remainder of an hour or a day")
    return int(found)


def _some_days(value: tuple[int, ...]) -> tuple[int, ...]:
    """Refuse what not every month has, with one sentence however many there are."""
    if not value or any(not 1 <= day <= 28 for day in value):
        raise ValueError("should be a list of days that every month has: 1 to 28")
    return value


def _a_little(value: float) -> float:
    if value > LONGEST_SPLAY:
        raise ValueError("should be at most 15m: systemd starts a long delay anew whenever it reloads")
    return value


Beat = t.Annotated[int, BeforeValidator(_beat), as_written.text(r"^\d{1,2}[mh]$")]
WeekDays = t.Annotated[
    tuple[Day, ...], BeforeValidator(words), Field(min_length=1), as_written.many({"enum": list(DAYS)})
]
MonthDays = t.Annotated[
    tuple[int, ...],
    AfterValidator(_some_days),
    WithJsonSchema({"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 28}, "minItems": 1}),
]
Splay = t.Annotated[float, BeforeValidator(seconds), AfterValidator(_a_little), as_written.text(as_written.ELAPSED)]
Chores = t.Annotated[tuple[str, ...], BeforeValidator(words), as_written.many({"enum": list(ACTING)})]


class Entry(BaseModel):
    """One entry of ``keepwell_schedule``: a playbook of the project and when it begins."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"oneOf": [{"required": ["every"]}, {"required": ["at"]}]}
    )

    playbook: t.Literal[
        "assess",
        "watch",
        "patch",
        "antivirus",
        "backup_verify",
        "disk_cleanup",
        "maintain",
        "report",
        "period_report",
        "fleet_overview",
        "deliver",
        "verify",
    ]
    every: Beat | None = Field(None, description="a beat like 5m or 6h, counted from midnight UTC")
    at: TimeOfDay | None = Field(None, description="a time of the client's clock, like 22:00")
    days: WeekDays | None = Field(None, description="with at: only on these days of the week")
    month_days: MonthDays | None = Field(None, description="with at: only on these days of the month, 1 to 28")
    act: Chores = Field((), description="chores that the run may carry out; without it the run only looks")
    limit: str = Field("", pattern=f"^$|{_LIMIT}", description="hosts and groups, as --limit has them")
    splay: Splay = Field(0.0, description="the start is put off by up to that, by an amount that stays the same")
    grace: t.Annotated[Elapsed, Field(gt=0)] | None = Field(
        None, description="how late before it counts as missed; 2h, or twice the beat"
    )
    limit_s: int | None = Field(
        None, ge=60, le=int(DAY), description="seconds after which the run is ended; 7200, a watch: its beat"
    )
    enabled: bool = True

    @property
    def clock(self) -> datetime.time:
        """The time of the client's clock. Raises ValueError for a beat, which has none."""
        if self.at is None:
            raise ValueError("a beat has no time of day")
        return self.at

    @property
    def beat(self) -> float:
        """Seconds from one start to the next. Raises ValueError for a time of day, which has none."""
        if self.every is None:
            raise ValueError("a time of day is no beat")
        return float(self.every)

    @property
    def disruptive(self) -> bool:
        """True when the run may change hosts: what was missed is then never caught up."""
        return bool(self.act)

    @property
    def grace_s(self) -> float:
        """Seconds after the planned time from which it counts as missed."""
        if self.grace is not None:
            return self.grace
        return 2.0 * self.every if self.every is not None else DEFAULT_GRACE

    @property
    def timeout_s(self) -> int:
        """Seconds after which the run is ended."""
        if self.limit_s is not None:
            return self.limit_s
        return self.every if self.playbook == "watch" and self.every is not None else DEFAULT_LIMIT

    @model_validator(mode="after")
    def _is_one_kind(self) -> t.Self:
        if (self.every is None) == (self.at is None):
            raise ValueError('it needs either every (like 15m) or at (like "05:10")')
        if self.every is not None and (self.days or self.month_days):
            raise ValueError("days and month_days belong to at: every goes on day and night")
        if self.days and self.month_days:
            raise ValueError("it has days or month_days, not both")
        if self.every is not None and self.splay >= self.every:
            raise ValueError("splay should be shorter than every")
        if self.playbook in WITHOUT_HOSTS and self.limit:
            raise ValueError(f"{self.playbook} is for the whole client and asks no host: leave out limit")
        if self.grace is not None and self.grace <= self.splay:
            raise ValueError("grace should be longer than splay, or every start counts as missed")
        return self

    @model_validator(mode="after")
    def _acts_on_what_the_playbook_does(self) -> t.Self:
        can = PLAYBOOKS[self.playbook]
        for chore in self.act:
            if chore not in can:
                raise ValueError(f"{self.playbook} does not carry out '{chore}'.{nearest(chore, can)}")
        return self


Schedule = Mapping[str, Entry]


def build(value: t.Any, zone: ZoneInfo, year: int) -> tuple[dict[str, Entry], list[str]]:
    """Return the entries that ``keepwell_schedule`` declares, and every mistake in them as a sentence.

    ``year`` is the first one whose clock changes are looked at.
    """
    if value is None:
        return {}, []
    if not isinstance(value, Mapping):
        return {}, [f"keepwell_schedule must be a mapping of named entries, not {type(value).__name__}."]
    found: dict[str, Entry] = {}
    problems: list[str] = []
    for name, given in value.items():
        where = f"keepwell_schedule.{name}"
        if not NAME.fullmatch(str(name)):
            problems.append(
                f"{where}: a name is made of small letters, digits and hyphens, at most 40: units are named after it."
            )
            continue
        try:
            found[str(name)] = Entry.model_validate(given)
        except ValidationError as exc:
            problems += [_problem(where, error) for error in exc.errors()]
            continue
        problems += _unsteady(where, found[str(name)], zone, year)
    return found, problems


def _unsteady(where: str, entry: Entry, zone: ZoneInfo, year: int) -> list[str]:
    """Return a sentence when the client's clock skips or repeats the time at which an entry begins."""
    if entry.at is None or not (changing(zone, year) | changing(zone, year + 1)).intersection({entry.at}):
        return []
    return [
        f"{where}.at: clocks in {zone.key} change at {entry.at:%H:%M}: once a year there is no such time, or there are "
        "two. Choose another time."
    ]


def _problem(where: str, error: t.Any) -> str:
    loc = [str(part) for part in error["loc"]]
    place = ".".join([where, *loc])
    message = str(error["msg"]).removeprefix("Value error, ")
    given = error.get("input")
    if error["type"] == "extra_forbidden":
        return f"{place}: unknown key.{nearest(loc[-1], Entry.model_fields)}"
    if error["type"] == "missing":
        return f"{place}: it has to be said. Allowed: {', '.join(PLAYBOOKS)}."
    if error["type"] == "literal_error":
        return f"{place}: '{given}' is unknown.{nearest(str(given), DAYS if 'days' in loc else PLAYBOOKS)}"
    if error["type"] == "model_type":
        return f"{place} must be a mapping with playbook and at or every, not {type(given).__name__}."
    if error["type"] == "string_pattern_mismatch":
        return (
            f"{place}: '{given}' should be names of hosts and groups, joined as --limit joins them (a:b, a:&b, a:!b)."
        )
    shown = f" (given: {given!r})" if isinstance(given, (str, int, float)) else ""
    stop = "" if message.endswith((".", "?")) else "."  # a hint has its own
    return f"{place}: {message}{shown}{stop}"


def bought(schedule: Schedule, services: t.Collection[str]) -> list[str]:
    """Return a sentence for every chore that an entry may carry out and no host's plan has.

    ``services`` are those that some host of the client has.
    """
    return [
        f"keepwell_schedule.{name}.act: no plan of this client has {chore}. Leave it out, or add it to keepwell_plan."
        for name, entry in schedule.items()
        for chore in entry.act
        if chore not in services
    ]


def lost(schedule: Schedule, known: t.Collection[str]) -> list[str]:
    """Return a sentence for every name in a ``limit`` that is no host or group: the run would be for nobody."""
    problems = []
    for name, entry in schedule.items():
        for word in re.split(r"[:,]", entry.limit):
            plain = word.lstrip("&!")
            pattern = re.compile(re.escape(plain).replace(r"\*", ".*"))
            if plain and not any(pattern.fullmatch(candidate) for candidate in known):
                problems.append(
                    f"keepwell_schedule.{name}.limit: '{plain}' is no host or group of the inventory."
                    f"{nearest(plain, sorted(known))}"
                )
    return problems
