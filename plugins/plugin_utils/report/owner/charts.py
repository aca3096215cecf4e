# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the geometry of the owner's charts. Pure; words stay outside.

Height, pattern, dashes and signs say the same as colour. Every paint is literal, for paper, with a class for themes.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import DAY, State
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import epoch
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.charts import Chart, Layer
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.look import GLYPHS, ORDER, fill
from ansible_collections.keepwell.fleet.plugins.plugin_utils.service.models import ContactDay, DiskOutlook

BARS = 90
_PITCH, _BAR = 8, 6
_BARS_HEIGHT = 34
# A day on which all went well is low and quiet; the worse it was, the higher its bar.
_HIGH: Mapping[State, int] = {"ok": 12, "unknown": 12, "watch": 17, "act": 23, "crit": 29}
BINS: tuple[tuple[int, int | None], ...] = ((0, 7), (8, 14), (15, 30), (31, 60), (61, None))
_BIN_STATES: tuple[State, ...] = ("ok", "ok", "watch", "act", "crit")
_BIN_WIDTH, _BIN_PITCH, _BIN_HIGH, _BIN_TOP = 50, 64, 58, 16
DISK_WIDTH, DISK_HEIGHT = 320, 92
# Nobody plans further ahead than this on one page.
_AHEAD_DAYS = 120.0


@dataclass(frozen=True, slots=True)
class DayBars:
    """The bars of 90 days. ``work`` are the notches of days on which something was changed."""

    chart: Chart
    work: str
    whole: int
    partly: int
    unseen: int


@dataclass(frozen=True, slots=True)
class AgeBar:
    """One bar of the histogram, with the places of its texts; days from ``first`` to ``last`` (None: no end)."""

    first: int
    last: int | None
    hosts: int
    state: State
    glyph: str
    paint: str
    path: str
    middle: int
    top: int


@dataclass(frozen=True, slots=True)
class DiskCurve:
    """How full a disk was and will be. Paths that have nothing to draw are ""."""

    history: str
    ahead: str
    band: str
    limit: str
    full: str
    area: str
    limit_y: int


def day_bars(days: Sequence[ContactDay], today: datetime.date) -> DayBars:
    """Return the bars of the 90 days up to today; a day on which nobody looked is a hatch."""
    known = {day.day: day for day in days}
    paths: dict[State, list[str]] = {}
    work: list[str] = []
    amounts: dict[State, int] = {}
    for place in range(BARS):
        day = known.get((today - datetime.timedelta(days=BARS - 1 - place)).isoformat())
        state = _state(day)
        high = _HIGH[state]
        paths.setdefault(state, []).append(f"M{place * _PITCH} {_BARS_HEIGHT - 4 - high}h{_BAR}v{high}h-{_BAR}z")
        amounts[state] = amounts.get(state, 0) + 1
        if day is not None and day.worked:
            work.append(f"M{place * _PITCH} {_BARS_HEIGHT - 2}h{_BAR}v2h-{_BAR}z")
    layers = [
        Layer(state, fill(state, "days"), "".join(paths[state]), "", amounts[state])
        for state in ORDER
        if state in paths
    ]
    partly = sum(amounts.get(state, 0) for state in ("watch", "act", "crit"))
    chart = Chart("days", BARS * _PITCH - (_PITCH - _BAR), _BARS_HEIGHT, layers)
    return DayBars(chart, "".join(work), amounts.get("ok", 0), partly, amounts.get("unknown", 0))


def _state(day: ContactDay | None) -> State:
    if day is None or not day.asked:
        return "unknown"
    if day.answered == day.asked:
        return "ok"
    if not day.answered:
        return "crit"
    return "watch" if day.answered * 20 >= day.asked * 19 else "act"


def age_bars(ages: Sequence[int]) -> list[AgeBar]:
    """Return the histogram of ages in days."""
    numbers = [sum(1 for age in ages if age >= first and (last is None or age <= last)) for first, last in BINS]
    most = max([*numbers, 1])
    bars = []
    for place, ((first, last), number) in enumerate(zip(BINS, numbers, strict=True)):
        high = max(3, _BIN_HIGH * number // most) if number else 1
        left, top = place * _BIN_PITCH, _BIN_TOP + _BIN_HIGH - high
        state = _BIN_STATES[place]
        bars.append(
            AgeBar(
                first=first,
                last=last,
                hosts=number,
                state=state,
                glyph=GLYPHS[state],
                paint=fill(state, "ages"),
                path=f"M{left} {top}h{_BIN_WIDTH}v{high}h-{_BIN_WIDTH}z",
                middle=left + _BIN_WIDTH // 2,
                top=top - 4,
            )
        )
    return bars


def disk_curve(disk: DiskOutlook, now: float) -> DiskCurve:
    """Return the curve: what was measured, then the forecast with the band in which it may be wrong."""
    first = min([*(epoch(at) for at, _percent in disk.points), now - 7 * DAY])
    last = min(
        max(epoch(disk.full_at), min(epoch(disk.late_at), epoch(disk.full_at) + 30 * DAY)), now + _AHEAD_DAYS * DAY
    )
    span = max(last - first, DAY)

    def x(at: float) -> int:
        return round((min(max(at, first), last) - first) / span * (DISK_WIDTH - 4)) + 2

    def y(percent: float) -> int:
        return round(DISK_HEIGHT - 2 - min(max(percent, 0.0), 100.0) / 100.0 * (DISK_HEIGHT - 18))

    points = [(x(epoch(at)), y(percent)) for at, percent in disk.points]
    history = "M" + "L".join(f"{left} {top}" for left, top in points) if len(points) > 1 else ""
    start = points[-1] if points else (x(now), y(50.0))
    full, early, late = (x(epoch(at)) for at in (disk.full_at, disk.early_at, disk.late_at))
    top = y(100.0)
    return DiskCurve(
        history=history,
        ahead=f"M{start[0]} {start[1]}L{full} {top}",
        band=f"M{start[0]} {start[1]}L{early} {top}H{late}z" if late > early else "",
        limit=f"M0 {top}H{DISK_WIDTH}",
        full=f"M{full} {top - 6}l5 6-5 6-5-6z",
        area=f"M{points[0][0]} {DISK_HEIGHT}{history.replace('M', 'L')}V{DISK_HEIGHT}z" if history else "",
        limit_y=top,
    )
