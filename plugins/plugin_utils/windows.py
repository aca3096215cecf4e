# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: maintenance windows (``keepwell_windows``): when work that disturbs may begin. Pure.

A window begins at a local time of the client and lasts an elapsed time. A local time that the clock skips moves
forward (02:30 becomes 03:30), one that it shows twice is the first. Without a window, nothing is open.
"""

from __future__ import annotations

import datetime
import re
import typing as t
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import DAY, HOUR
from ansible_collections.keepwell.fleet.plugins.plugin_utils.policy import nearest

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MINUTE = 60.0
# How far ahead the next opening is looked for.
_HORIZON_DAYS = 400
_ONE_DAY = datetime.timedelta(days=1)


def _seconds(value: t.Any) -> t.Any:
    """Return an elapsed time like ``4h``, ``45m`` or ``1h30m`` as seconds."""
    parts = re.fullmatch(r"(?:(\d{1,3})h)?(?:(\d{1,4})m)?", value) if isinstance(value, str) else None
    if parts is None or not value:
        raise ValueError("should be an elapsed time like 4h, 45m or 1h30m")
    return int(parts[1] or 0) * HOUR + int(parts[2] or 0) * _MINUTE


def _time_of_day(value: t.Any) -> t.Any:
    """Return a local time like ``22:00``. YAML reads it without quotes as a number of minutes."""
    if not isinstance(value, str) or not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        raise ValueError('should be a time of day in quotes, like "22:00"')
    return datetime.time.fromisoformat(value)


def _words(value: t.Any) -> t.Any:
    """``sat,sun`` and ``[sat, sun]`` are the same."""
    return [word.strip() for word in value.split(",")] if isinstance(value, str) else value


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Weekly(_Part):
    """On these days of every week."""

    weekly: t.Annotated[
        tuple[t.Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...],
        BeforeValidator(_words),
        Field(min_length=1),
    ]

    def includes(self, day: datetime.date) -> bool:
        """True when a window begins on this day."""
        return DAYS[day.weekday()] in self.weekly


class Once(_Part):
    """On one day."""

    once: datetime.date

    def includes(self, day: datetime.date) -> bool:
        """True when a window begins on this day."""
        return day == self.once


_RULES: dict[str, type[_Part]] = {"weekly": Weekly, "once": Once}


def _rule(value: t.Any) -> str | None:
    """Return which rule a mapping of one key is."""
    name = next(iter(value), None) if isinstance(value, Mapping) and len(value) == 1 else None
    return name if name in _RULES else None


Rule = t.Annotated[
    t.Annotated[Weekly, Tag("weekly")] | t.Annotated[Once, Tag("once")],
    Discriminator(
        _rule,
        custom_error_type="rule",
        custom_error_message=f"should be a mapping with one of: {', '.join(_RULES)}",
    ),
]


class Terms(_Part):
    """One entry of ``keepwell_windows``."""

    rule: Rule
    start: t.Annotated[datetime.time, BeforeValidator(_time_of_day)]
    duration: t.Annotated[float, BeforeValidator(_seconds), Field(gt=0, le=7 * DAY)]
    cutoff: t.Annotated[float, BeforeValidator(_seconds)] = 0.0
    allow: t.Annotated[
        tuple[t.Literal["patch", "reboot", "disk_cleanup"], ...], BeforeValidator(_words), Field(min_length=1)
    ]

    @model_validator(mode="after")
    def _some_time_is_left(self) -> t.Self:
        if self.cutoff >= self.duration:
            raise ValueError("cutoff leaves no time: it should be shorter than duration")
        return self


@dataclass(frozen=True)
class Window:
    """A named window on the client's clock."""

    name: str
    zone: ZoneInfo
    terms: Terms

    def spans(self, first: datetime.date, last: datetime.date) -> Iterator[tuple[float, float]]:
        """Yield begin and end (epoch) of the windows that begin on these local days, in order."""
        day = first
        while day <= last:
            if self.terms.rule.includes(day):
                # fold=0: what the clock shows twice is the first, what it skips moves forward by the gap (PEP 495).
                begin = datetime.datetime.combine(day, self.terms.start, self.zone).timestamp()
                yield begin, begin + self.terms.duration
            day += _ONE_DAY

    def current(self, now: float) -> tuple[float, float] | None:
        """Return begin and end of the window that ``now`` lies in; of several the one that ends last."""
        first = self._day(now - self.terms.duration) - _ONE_DAY
        around = [span for span in self.spans(first, self._day(now) + _ONE_DAY) if span[0] <= now < span[1]]
        return max(around, key=lambda span: span[1], default=None)

    def next_begin(self, now: float) -> float | None:
        """Return when the window begins next."""
        today = self._day(now)
        spans = self.spans(today, today + datetime.timedelta(days=_HORIZON_DAYS))
        return next((begin for begin, _end in spans if begin > now), None)

    def clock(self, at: float) -> str:
        """Return a moment as the client's clock shows it, without regard to this machine's language."""
        local = datetime.datetime.fromtimestamp(at, self.zone)
        return f"{DAYS[local.weekday()].capitalize()} {local:%Y-%m-%d %H:%M} {self.zone.key}"

    def _day(self, at: float) -> datetime.date:
        return datetime.datetime.fromtimestamp(at, self.zone).date()


class Decision(t.NamedTuple):
    """Whether work may begin now: in which window, until when (epoch), or why not."""

    open: bool
    name: str = ""
    closes_at: float | None = None
    reason: str = ""


def is_open(windows: Sequence[Window], now: float, needed_s: float, what: str) -> Decision:
    """Return whether work of a kind (``patch``, ``reboot``, ...) that takes ``needed_s`` seconds may begin now."""
    allowing = [window for window in windows if what in window.terms.allow]
    if not allowing:
        which = "allows it" if windows else "is declared (keepwell_windows)"
        return Decision(False, reason=f"No maintenance window {which}: {what} has to wait.")
    refusals = []
    for window in sorted(allowing, key=lambda window: -(window.current(now) or (0.0, 0.0))[1]):
        span = window.current(now)
        if span is None:
            break
        end = span[1]
        last = end - window.terms.cutoff
        # Said positively: whatever cannot be compared is closed.
        if now < last and now + needed_s <= end:
            return Decision(True, window.name, end, f"'{window.name}' is open until {window.clock(end)}")
        refusals.append(
            f"'{window.name}' is open until {window.clock(end)}, "
            + (
                f"which leaves {(end - now) / _MINUTE:.0f} minutes; {needed_s / _MINUTE:.0f} are needed"
                if now < last
                else f"and begins nothing new since {window.clock(last)}"
            )
        )
    if refusals:
        return Decision(False, reason=f"Too late in the maintenance window: {'; '.join(refusals)}.")
    return Decision(False, reason=f"No maintenance window is open. {_next(allowing, now)}")


def _next(windows: Sequence[Window], now: float) -> str:
    coming = [(begin, window) for window in windows if (begin := window.next_begin(now)) is not None]
    if not coming:
        return "None opens again."
    begin, window = min(coming, key=lambda entry: (entry[0], entry[1].name))
    return f"The next is '{window.name}', {window.clock(begin)}."


def build(value: t.Any, timezone: str) -> tuple[list[Window], list[str]]:
    """Return the windows that ``keepwell_windows`` declares and every mistake in it as one sentence each."""
    if value is None:
        return [], []
    if not isinstance(value, Mapping):
        return [], [f"keepwell_windows must be a mapping of named windows, not {type(value).__name__}."]
    zone = find_zone(timezone)
    if zone is None:
        return [], [f"keepwell_client.timezone: '{timezone}' is unknown here, and keepwell_windows needs it."]
    windows: list[Window] = []
    problems: list[str] = []
    for name, entry in value.items():
        try:
            windows.append(Window(str(name), zone, Terms.model_validate(entry)))
        except ValidationError as exc:
            problems += [_problem(f"keepwell_windows.{name}", entry, error) for error in exc.errors()]
    return windows, problems


def _problem(where: str, entry: t.Any, error: t.Any) -> str:
    # A tagged union names its tag as a part of the place; the rule's own key says the same.
    parts = [str(part) for place, part in enumerate(error["loc"]) if not (place == 1 and part in _RULES)]
    message = str(error["msg"]).removeprefix("Value error, ")
    hint = ""
    if error["type"] == "extra_forbidden":
        hint = nearest(parts[-1], Terms.model_fields)
    elif error["type"] == "rule" and isinstance(entry.get("rule"), Mapping) and len(entry["rule"]) == 1:
        hint = nearest(str(next(iter(entry["rule"]))), _RULES)
    return f"{'.'.join([where, *parts])}: {message}.{hint}"


def find_zone(name: str) -> ZoneInfo | None:
    """Return a time zone by its IANA name, or None when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
