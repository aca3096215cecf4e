# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the geometry of the charts: what goes into ``<path d="...">``. Pure.

Every chart has one path per state, with a literal paint (paper and PDF) and a class (themes); shape and size say the
same as colour. Words stay in the templates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import State
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Counts
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.look import ORDER, fill

COLUMN = 22
ROW = 22
GRADES = "ABCDEF"
# A line of fewer says nothing of a direction.
_LEAST_GRADES = 2
_GRADE_STEP = 12
_GRADE_STRIDE = 24
_GRADE_EDGE = 6
# A fine check is a thin line, trouble a full cell: a healthy fleet looks quiet, and size repeats what colour says.
_HEIGHT: Mapping[State, int] = {"ok": 4, "accepted": 18, "watch": 14, "unknown": 18, "act": 18, "crit": 18}
# Drawn around the middle of a cell; relative, so that the text is short.
_GLYPH: Mapping[State, str] = {
    "crit": "m-4-4 8 8m-8 0 8-8",
    "act": "m0-4 4.5 8h-9z",
    "watch": "m-4 0a4 4 0 1 0 8 0 4 4 0 1 0-8 0m4 0v-4",
    "unknown": "m-3-2.5a3 3 0 1 1 3 3v1.6m0 1.8v1.6",
    "accepted": "m0-5 5 5-5 5-5-5z",
}


@dataclass(frozen=True, slots=True)
class Layer:
    """One state of a chart. ``glyph`` is the path of its signs ("" for none); ``cells`` is how many it draws."""

    state: State
    paint: str
    path: str
    glyph: str
    cells: int


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart's size and layers. ``name`` prefixes its ids."""

    name: str
    width: int
    height: int
    layers: list[Layer]
    grid: str = ""


def heat_map(name: str, rows: Sequence[Sequence[State | None]]) -> Chart:
    """Return the map of ``rows`` (one state or None a column); neighbours of one state share a rectangle."""
    width = COLUMN * max((len(row) for row in rows), default=0)
    paths: dict[State, list[str]] = {}
    glyphs: dict[State, list[str]] = {}
    cells: dict[State, int] = {}
    for line, row in enumerate(rows):
        column = 0
        for state, group in groupby(row):
            length = len(list(group))
            if state is not None:
                high = _HEIGHT[state]
                top = line * ROW + (ROW - high) // 2
                wide = length * COLUMN
                paths.setdefault(state, []).append(f"M{column * COLUMN} {top}h{wide}v{high}h-{wide}z")
                cells[state] = cells.get(state, 0) + length
                if state in _GLYPH:
                    middle = line * ROW + ROW // 2
                    glyphs.setdefault(state, []).extend(
                        f"M{(column + step) * COLUMN + COLUMN // 2} {middle}{_GLYPH[state]}" for step in range(length)
                    )
            column += length
    height = ROW * len(rows)
    layers = [
        Layer(state, fill(state, name), "".join(paths[state]), "".join(glyphs.get(state, ())), cells[state])
        for state in ORDER
        if state in paths
    ]
    lines = "".join(f"M{place} 0v{height}" for place in range(0, width + 1, COLUMN))
    return Chart(name, width, height, layers, lines)


def state_bar(name: str, counts: Counts, width: int = 160, height: int = 10) -> Chart:
    """Return one bar divided by state, worst first. What exists is at least 4 wide, so that 1 of 1,000 is seen."""
    present = [(state, getattr(counts, state)) for state in ORDER if getattr(counts, state)]
    smallest, gap = 4, 2
    spare = width - gap * max(0, len(present) - 1) - smallest * len(present)
    layers, left = [], 0
    for place, (state, number) in enumerate(present):
        last = place == len(present) - 1
        wide = width - left if last else smallest + spare * number // counts.total
        layers.append(Layer(state, fill(state, name), f"M{left} 0h{wide}v{height}h-{wide}z", "", number))
        left += wide + gap
    return Chart(name, width, height, layers)


@dataclass(frozen=True, slots=True)
class Line:
    """Grades from left to right, the best on top: broken where there was none, with its end at the newest."""

    width: int
    height: int
    rules: str
    path: str
    end_x: int
    end_y: int


def grade_line(letters: Sequence[str]) -> Line | None:
    """Return the line of grades ("" for a run without one), oldest first; None below two grades."""
    known = [place for place, letter in enumerate(letters) if letter]
    if len(known) < _LEAST_GRADES:
        return None
    height = _GRADE_STEP * (len(GRADES) - 1) + 2 * _GRADE_EDGE
    width = _GRADE_STRIDE * (len(letters) - 1) + 2 * _GRADE_EDGE

    def at(place: int) -> tuple[int, int]:
        return _GRADE_EDGE + place * _GRADE_STRIDE, _GRADE_EDGE + GRADES.index(letters[place]) * _GRADE_STEP

    path = ""
    for place in known:
        x, y = at(place)
        # Alone between two without a grade it is a dot: a line of no length with round ends.
        path += f"L{x} {y}" if place - 1 in known else f"M{x} {y}h0"
    rules = "".join(f"M0 {_GRADE_EDGE + row * _GRADE_STEP}h{width}" for row in range(len(GRADES)))
    end_x, end_y = at(known[-1])
    return Line(width, height, rules, path, end_x, end_y)
