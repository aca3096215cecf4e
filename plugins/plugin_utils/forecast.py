# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to keepwell.fleet: when will a disk be full? Pure arithmetic on points (time in epoch seconds, value).

The slope is Theil and Sen's (median of the slopes between all pairs): one night's huge log does not bend it.
Cleanups and resizes start the series anew, weekly peaks are met by the highest value of each day, and where the
points do not carry an answer there is none.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

DAY = 86400.0
# A forecast needs a week: fewer points or days see neither the weekly cycle nor its end.
MIN_POINTS = 7
MIN_DAYS = 7
HORIZON_DAYS = 3650.0
# A drop beyond this share of the size, and beyond three times the usual change, is a cleanup.
RESET_SHARE = 0.05
RESET_DEVIATIONS = 3.0
# A drop back to a level that was met within so many days is the end of a peak, no cleanup.
PEAK_DAYS = 3
LOW_PERCENTILE = 10.0
HIGH_PERCENTILE = 90.0

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Forecast:
    """Days until ``available`` is used up, from the last segment of the series.

    ``low`` and ``high`` belong to the 90th and 10th percentile of the pairwise slopes, ``slope`` is in units a day.
    ``trend`` is ``growing``, ``none`` (flat or shrinking) or ``unclear`` (the interval of slopes holds 0: no number
    would be honest). Without growth the days are None; they are capped at ten years.
    """

    trend: str
    n: int
    days_seen: float
    slope: float
    low: float | None = None
    median: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Thin:
    """Why there is no forecast."""

    reason: str
    n: int
    days_seen: float


def daily_peaks(points: Points) -> list[tuple[float, float]]:
    """Return the highest point of each day (UTC), oldest first."""
    peaks: dict[int, tuple[float, float]] = {}
    for at, value in sorted(points):
        day = int(at // DAY)
        if day not in peaks or value > peaks[day][1]:
            peaks[day] = (at, value)
    return [peaks[day] for day in sorted(peaks)]


def last_segment(points: Points, size: float, sizes: Points = ()) -> list[tuple[float, float]]:
    """Return the points since the last reset: a drop by more than max(5 % of size, 3 MAD), or a change of size.

    MAD is the median absolute deviation of the day-to-day changes: a series that swings by nature is not cut at
    every swing. For the same reason the way down from a short peak is no reset. ``sizes`` are known sizes over time.
    """
    ordered = sorted(points)
    resized = [at for (_before, old), (at, new) in itertools.pairwise(sorted(sizes)) if old != new]
    if resized:
        ordered = [point for point in ordered if point[0] >= resized[-1]]
    changes = [later[1] - earlier[1] for earlier, later in itertools.pairwise(ordered)]
    if not changes:
        return ordered
    middle = statistics.median(changes)
    deviation = statistics.median(abs(change - middle) for change in changes)
    limit = max(RESET_SHARE * size, RESET_DEVIATIONS * deviation)
    start = 0
    for index, change in enumerate(changes, start=1):
        before_peak = [value for _at, value in ordered[max(start, index - 1 - PEAK_DAYS) : index - 1]]
        if -change > limit and not any(value <= ordered[index][1] for value in before_peak):
            start = index
    return ordered[start:]


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return a percentile of sorted values, interpolated linearly between the two neighbours."""
    position = (len(ordered) - 1) * percent / 100.0
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def pairwise_slopes(points: Points) -> list[float]:
    """Return the sorted slopes, in units a day, between all pairs of points of different time."""
    return sorted(
        (later[1] - earlier[1]) / (later[0] - earlier[0]) * DAY
        for index, earlier in enumerate(points)
        for later in points[index + 1 :]
        if later[0] > earlier[0]
    )


def forecast(points: Points, available: float, size: float, sizes: Points = ()) -> Forecast | Thin:
    """Return when ``available`` (same unit as the points) is used up, or why nobody can tell."""
    segment = last_segment(daily_peaks(points), size, sizes)
    seen = (segment[-1][0] - segment[0][0]) / DAY if segment else 0.0
    # Seven daily peaks may lie a little less than seven days apart; days are counted by the calendar.
    days = int(segment[-1][0] // DAY) - int(segment[0][0] // DAY) + 1 if segment else 0
    if len(segment) < MIN_POINTS or days < MIN_DAYS:
        reason = f"{len(segment)} daily points over {days} days; {MIN_POINTS} points over {MIN_DAYS} days are needed"
        return Thin(reason, len(segment), seen)
    slopes = pairwise_slopes(segment)
    slow, slope, fast = (percentile(slopes, percent) for percent in (LOW_PERCENTILE, 50.0, HIGH_PERCENTILE))
    if fast <= 0:
        return Forecast("none", len(segment), seen, slope)
    if slow <= 0:
        return Forecast("unclear", len(segment), seen, slope)
    low, median, high = (min(HORIZON_DAYS, max(0.0, available) / rate) for rate in (fast, slope, slow))
    return Forecast("growing", len(segment), seen, slope, low, median, high)


def hours_to_full(
    points: Points, available: float, now: float, window_hours: float, least_hours: float = 0.5
) -> float | None:
    """Return the hours until ``available`` is used up at the pace of the last ``window_hours``: the burst rule.

    The pace is the straight line through the points of the window (node-mixin's predict_linear). None when they span
    less than ``least_hours`` (a pace read off minutes is noise) or nothing grows.
    """
    recent = [(at, value) for at, value in points if now - window_hours * 3600.0 <= at <= now]
    times = [at for at, _value in recent]
    if len(set(times)) < 2 or max(times) - min(times) < least_hours * 3600.0:
        return None
    centre_at = statistics.fmean(at for at, _value in recent)
    centre = statistics.fmean(value for _at, value in recent)
    spread = sum((at - centre_at) ** 2 for at, _value in recent)
    slope = sum((at - centre_at) * (value - centre) for at, value in recent) / spread
    return max(0.0, available) / slope / 3600.0 if slope > 0 else None
