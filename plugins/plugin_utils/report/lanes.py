# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the geometry of a dataset's lane: its age against what was agreed, and its proofs. Pure.

Above, a bar as long as the newest backup is old; a tick stands where it may end. Below, a line of time with the last
proof as a diamond, today as a stroke and the next due test as a triangle. Words stay in the templates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import State
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.look import fill

WIDTH = 320
HEIGHT = 36
# Where the agreed age is, and the longest bar that is drawn: one that is longer ends in a point.
TICK = 150
_LONGEST = 312
_BAR_TOP, _BAR = 4, 10
# The line of time: today, and how many days there are to both sides of it.
_TODAY = 220
_PAST_DAYS, _COMING_DAYS = 110.0, 45.0
_LINE = 28
_MARK = 5


@dataclass(frozen=True, slots=True)
class Lane:
    """One dataset's lane. ``name`` prefixes its ids; a mark that has no place is "".

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
    line: str
    today: str
    proof: str
    due: str


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
    paint = fill(state, name)
    return Lane(
        name=name,
        width=WIDTH,
        height=HEIGHT,
        state=state,
        paint=paint,
        hatched=paint.startswith("url("),
        stripe=_stripe(age_h, agreed_h),
        tick=f"M{TICK} 0v{_BAR_TOP * 2 + _BAR}" if agreed_h else "",
        line=f"M0 {_LINE}h{WIDTH}",
        today=f"M{_TODAY} {_LINE - 7}v14",
        proof="" if proof_days is None else f"M{_day(-proof_days)} {_LINE - _MARK - 1}l6 6-6 6-6-6z",
        due="" if due_days is None else f"M{_day(due_days)} {_LINE + _MARK}l-5-10h10z",
    )


def _stripe(age_h: float | None, agreed_h: float | None) -> str:
    """Return the bar; without an age the whole length, which is drawn as a hatch."""
    if age_h is None or not agreed_h:
        return f"M0 {_BAR_TOP}h{_LONGEST}v{_BAR}h-{_LONGEST}z"
    long = max(2, math.floor(TICK * age_h / agreed_h))
    # What is late must pass the tick, however little it is late.
    long = max(long, TICK + 3) if age_h > agreed_h else min(long, TICK - 2)
    if long <= _LONGEST:
        return f"M0 {_BAR_TOP}h{long}v{_BAR}h-{long}z"
    return f"M0 {_BAR_TOP}h{_LONGEST}l8 {_BAR // 2}-8 {_BAR // 2}h-{_LONGEST}z"


def _day(days: float) -> int:
    """Return the place of a day, counted from today; what lies beyond the line stands at its end."""
    scale = _TODAY / _PAST_DAYS if days < 0 else (WIDTH - _TODAY) / _COMING_DAYS
    return round(min(max(_TODAY + days * scale, _MARK + 2), WIDTH - _MARK - 2))
