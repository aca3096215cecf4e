# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: availability from samples: how much of a time something was up, down, or not known. Pure.

All times are epoch seconds, all spans half-open. A sample holds until the next one, at most for its ``hold``; what is
left is a gap: nobody looked. An outage begins when samples fail several times in a row, at the first of them, and ends
at the first of as many good ones. A single miss is neither up nor down: it is a gap, too.
"""

from __future__ import annotations

import math
import typing as t
from collections.abc import Iterable, Sequence

Answer = t.Literal["ok", "fail", "unknown"]
# Samples in a row that begin and end an outage (domain rule: two).
CONFIRM = 2
# Below that share of known time a figure would say more than was seen.
COVERAGE_LEAST = 0.95


class Span(t.NamedTuple):
    """From when to before when."""

    begin: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end - self.begin


class Point(t.NamedTuple):
    """What was seen ``at`` a moment, and for how many seconds at most that holds.

    Or several equal samples in a row without a gap: ``samples`` of them, the last one ``more`` seconds after the first.
    """

    at: float
    answer: Answer
    hold: float
    more: float = 0.0
    samples: int = 1

    @property
    def last(self) -> float:
        """When the last of them was."""
        return self.at + self.more


class Outage(t.NamedTuple):
    """A time without service, excluded or not. ``end`` is None while it lasts; edges are as sharp as samples."""

    begin: float
    end: float | None
    uncertainty_s: float


class Figures(t.NamedTuple):
    """What a period comes to. Up, down and gap are without what is excluded. A share of nothing is None."""

    period_s: float
    excluded_s: float
    up_s: float
    down_s: float
    gap_s: float
    outages: tuple[Outage, ...]

    @property
    def coverage(self) -> float | None:
        """Known share of the time that counts."""
        return _share(self.up_s + self.down_s, self.period_s - self.excluded_s)

    @property
    def observed(self) -> float | None:
        """Share of the known time."""
        return _share(self.up_s, self.up_s + self.down_s)

    @property
    def pessimistic(self) -> float | None:
        """As if it had been down whenever nobody looked."""
        return _share(self.up_s, self.up_s + self.down_s + self.gap_s)

    @property
    def optimistic(self) -> float | None:
        """As if it had been up whenever nobody looked."""
        return _share(self.up_s + self.gap_s, self.up_s + self.down_s + self.gap_s)

    @property
    def measurable(self) -> bool:
        """True when enough was seen to call the observed share the availability."""
        return self.coverage is not None and self.coverage >= COVERAGE_LEAST

    def budget_left_s(self, target_percent: float) -> float:
        """Seconds that may still be lost of what a target allows; negative when more was lost."""
        return (1.0 - target_percent / 100.0) * (self.period_s - self.excluded_s) - self.down_s


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


def total(parts: Iterable[Figures]) -> Figures:
    """Return the figures of several things together: their times added up."""
    found = list(parts)
    return Figures(
        period_s=sum(part.period_s for part in found),
        excluded_s=sum(part.excluded_s for part in found),
        up_s=sum(part.up_s for part in found),
        down_s=sum(part.down_s for part in found),
        gap_s=sum(part.gap_s for part in found),
        outages=(),
    )


def union(spans: Iterable[Span]) -> list[Span]:
    """Return spans that touch each other nowhere and cover the same time, in order."""
    merged: list[Span] = []
    for span in sorted(entry for entry in spans if entry.begin < entry.end):
        if merged and span.begin <= merged[-1].end:
            merged[-1] = Span(merged[-1].begin, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return merged


def clip(spans: Iterable[Span], period: Span) -> list[Span]:
    """Return what of the spans lies in a period."""
    cut = (Span(max(span.begin, period.begin), min(span.end, period.end)) for span in spans)
    return [span for span in cut if span.begin < span.end]


def without(spans: Iterable[Span], taken: Sequence[Span]) -> list[Span]:
    """Return what is left of spans; ``taken`` are as ``union`` gives them."""
    left = []
    for span in spans:
        begin = span.begin
        for hole in taken:
            if hole.end <= begin or hole.begin >= span.end:
                continue
            if hole.begin > begin:
                left.append(Span(begin, hole.begin))
            begin = hole.end
        if begin < span.end:
            left.append(Span(begin, span.end))
    return left


def joined(points: Iterable[Point]) -> list[Point]:
    """Return the same with equal samples in a row as one point each: most of a month is one answer."""
    found: list[Point] = []
    for point in points:
        before = found[-1] if found else None
        if before and point.answer == before.answer and point.hold == before.hold and _meets(before, point):
            found[-1] = before._replace(more=point.last - before.at, samples=before.samples + point.samples)
        else:
            found.append(point)
    return found


def _meets(point: Point, following: Point) -> bool:
    """True when there is no gap between them."""
    return following.at <= point.last + point.hold


def measure(points: Sequence[Point], period: Span, excluded: Iterable[Span] = ()) -> Figures:
    """Return the figures of a period.

    ``points`` are in order of time; those shortly before and after the period belong to it: they say how it began and
    confirm how it ended. No two are of the same moment.
    """
    taken = union(clip(excluded, period))
    up, down, outages = _debounced(points)
    counted_up, counted_down = (
        sum(span.seconds for span in without(clip(spans, period), taken)) for spans in (up, down)
    )
    excluded_s = sum(span.seconds for span in taken)
    return Figures(
        period_s=period.seconds,
        excluded_s=excluded_s,
        up_s=counted_up,
        down_s=counted_down,
        gap_s=max(0.0, period.seconds - excluded_s - counted_up - counted_down),
        outages=tuple(
            outage
            for outage in outages
            if outage.begin < period.end and (outage.end is None or outage.end > period.begin)
        ),
    )


def _debounced(points: Sequence[Point]) -> tuple[list[Span], list[Span], list[Outage]]:
    """Return when it was up, when down, and the outages."""
    following = [*(point.at for point in points[1:]), math.inf]
    spans = [
        Span(point.at, min(after, point.last + point.hold)) for point, after in zip(points, following, strict=False)
    ]
    up: list[Span] = []
    down: list[Span] = []
    outages: list[Outage] = []
    is_down = False
    last_down = 0.0
    for place, (point, span) in enumerate(zip(points, spans, strict=True)):
        if is_down and point.answer == "ok" and _confirmed(points, place):
            is_down = False
            # What nobody looked at before the first good sample is part of the doubt.
            doubt = outages[-1].uncertainty_s + point.at - last_down
            outages[-1] = Outage(outages[-1].begin, point.at, doubt)
        elif not is_down and point.answer == "fail" and _confirmed(points, place):
            is_down = True
            before = points[place - 1].last if place else point.at
            outages.append(Outage(point.at, None, min(point.at - before, point.hold)))
        if point.answer == "unknown":
            continue
        if is_down:
            down.append(span)
            last_down = point.last
        elif point.answer == "ok":
            up.append(span)
    return up, down, outages


def _confirmed(points: Sequence[Point], place: int) -> bool:
    """True when there are enough equal answers in a row from here on, without a gap between them."""
    count = points[place].samples
    while count < CONFIRM and place + 1 < len(points):
        point, following = points[place], points[place + 1]
        if following.answer != point.answer or not _meets(point, following):
            return False
        place += 1
        count += following.samples
    return count >= CONFIRM
