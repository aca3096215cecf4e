# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the geometry of a dataset's lane: its age against what was agreed, and its proofs. Pure.

A gauge is a bar as long as something is old; a tick stands where it may end. A lane is the gauge of the newest backup,
and below it a line of time with the last proof as a diamond, today as a stroke and the next due test as a triangle.
Words stay in the templates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import State
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.look import fill

WIDTH = 320
HEIGHT = 36
# Where the agreed age is, and the longest bar that is drawn: one that is longer ends in a point.
TICK = 150
_LONGEST = 312
_BAR_TOP, _BAR = 4, 10
_GAUGE_HEIGHT = _BAR_TOP * 2 + _BAR
# The line of time: today, and how many days there are to both sides of it.
_TODAY = 220
_PAST_DAYS, _COMING_DAYS = 110.0, 45.0
_LINE = 28
_MARK = 5


@dataclass(frozen=True, slots=True)
class Gauge:
    """An age against what was agreed. ``name`` prefixes its ids; a mark that has no place is "".

    ``hatched`` says that the paint is the chart's own pattern, which has to be defined then.
    """

    name: str
    width: int
    height: int
    state: State
    paint: str
    hatched: bool
    stripe: str
    tick: str


@dataclass(frozen=True, slots=True)
class Lane(Gauge):
    """One dataset's lane: its gauge, and below it a line of time with its marks."""

    line: str
    today: str
    proof: str
    due: str


def gauge(name: str, state: State, age: float | None, agreed: float | None) -> Gauge:
    """Return a bar for an age and a tick for what was agreed, both in the same unit; ``state`` is how the age is.

    ``age`` None means that nobody knows it.
    """
    paint = fill(state, name)
    return Gauge(
        name=name,
        width=WIDTH,
        height=_GAUGE_HEIGHT,
        state=state,
        paint=paint,
        hatched=paint.startswith("url("),
        stripe=_stripe(age, agreed),
        tick=f"M{TICK} 0v{_GAUGE_HEIGHT}" if agreed else "",
    )


def lane(
    name: str,
    state: State,
    age_h: float | None,
    agreed_h: float | None,
    proof_days: float | None,
    due_days: float | None,
) -> Lane:
    """Return the lane of a dataset.

    ``state`` is that of its freshness; ``age_h`` None means that nobody knows its age. ``proof_days`` is how long ago
    something of it came back, ``due_days`` when the next test is due: below 0 it is late.
    """
    above = gauge(name, state, age_h, agreed_h)
    return Lane(
        **{field.name: getattr(above, field.name) for field in fields(above)} | {"height": HEIGHT},
        line=f"M0 {_LINE}h{WIDTH}",
        today=f"M{_TODAY} {_LINE - 7}v14",
        proof="" if proof_days is None else f"M{_day(-proof_days)} {_LINE - _MARK - 1}l6 6-6 6-6-6z",
        due="" if due_days is None else f"M{_day(due_days)} {_LINE + _MARK}l-5-10h10z",
    )


def _stripe(age: float | None, agreed: float | None) -> str:
    """Return the bar; without an age the whole length, which is drawn as a hatch."""
    if age is None or not agreed:
        return f"M0 {_BAR_TOP}h{_LONGEST}v{_BAR}h-{_LONGEST}z"
    long = max(2, math.floor(TICK * age / agreed))
    # What is late must pass the tick, however little it is late.
    long = max(long, TICK + 3) if age > agreed else min(long, TICK - 2)
    if long <= _LONGEST:
        return f"M0 {_BAR_TOP}h{long}v{_BAR}h-{long}z"
    return f"M0 {_BAR_TOP}h{_LONGEST}l8 {_BAR // 2}-8 {_BAR // 2}h-{_LONGEST}z"


def _day(days: float) -> int:
    """Return the place of a day, counted from today; what lies beyond the line stands at its end."""
    scale = _TODAY / _PAST_DAYS if days < 0 else (WIDTH - _TODAY) / _COMING_DAYS
    return round(min(max(_TODAY + days * scale, _MARK + 2), WIDTH - _MARK - 2))
