# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to keepwell.fleet: capacity over time: days until a filesystem is full, and sudden growth."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ansible_collections.keepwell.fleet.plugins.plugin_utils import forecast
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks import _capacity_growers
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    DAY,
    State,
    Verdict,
    View,
    check,
    count_text,
    literal,
    size_text,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._capacity import (
    CapacityPolicy,
    Filesystem,
    avail_percent,
    biggest_command,
    filesystems,
    free_text,
    persisting,
)

# One sample a day, plus the spread of the schedule: what the burst rule looks back on where nothing is nearer.
_DAILY_WINDOW_HOURS = 26.0
_WRITERS = "find {} -xdev -type f -mmin -120 -size +100M -exec ls -lhS {{}} + 2>/dev/null"
_WRITERS_ON_WINDOWS = (
    "Get-ChildItem -LiteralPath {} -Recurse -Force -File -ErrorAction SilentlyContinue | Where-Object {{ $_.Length -gt "
    "100MB -and $_.LastWriteTime -gt (Get-Date).AddHours(-2) }} | Sort-Object Length -Descending"
)


def _growing(view: View) -> Iterator[Filesystem]:
    """What can be forecast: writable and on a disk (memory is emptied by every boot)."""
    for entry in filesystems(view):
        if not entry.get("read_only") and entry["kind"] != "memory":
            yield entry


def _used(view: View, entry: Filesystem) -> list[tuple[float, float]]:
    points = [point for point in view.history.series("disk.used_bytes", entry["mount"]) if point[0] < view.now]
    return [*points, (view.now, float(entry["used_bytes"]))]


def outlook(view: View, entry: Filesystem) -> forecast.Forecast | forecast.Thin:
    """The forecast for one filesystem, from history and the present."""
    sizes = [point for point in view.history.series("disk.size_bytes", entry["mount"]) if point[0] < view.now]
    sizes.append((view.now, float(entry["size_bytes"])))
    return forecast.forecast(_used(view, entry), float(entry["avail_bytes"]), float(entry["size_bytes"]), sizes)


def daily_growth(view: View, entry: Filesystem) -> float | None:
    """Bytes a day by which a filesystem grows, where that is known."""
    found = outlook(view, entry)
    return found.slope if isinstance(found, forecast.Forecast) and found.trend == "growing" else None


def _days(value: float) -> str:
    return "ten years or more" if value >= forecast.HORIZON_DAYS else count_text(int(value), "day")


def _forecast_text(found: forecast.Forecast) -> str:
    low, median, high = (_days(value or 0.0) for value in (found.low, found.median, found.high))
    return f"full in {median} (between {low} and {high}; {count_text(found.n, 'day')} of data)"


def _forecast_verdict(entry: Filesystem, found: forecast.Forecast, state: State, view: View, expected: str) -> Verdict:
    median = found.median or 0.0
    return Verdict(
        state,
        object=entry["mount"],
        observed=f"{_forecast_text(found)}, {free_text(entry)}",
        expected=expected,
        summary=f"{entry['mount']} grows by {size_text(found.slope)} a day and will be full in about {_days(median)}."
        + _capacity_growers.sentence(view, entry["mount"]),
        advice="Order or approve space now, or find what grows; both take longer than a full disk allows.",
        command=biggest_command(view, entry["mount"]),
        deadline=view.now + median * DAY,
        data={
            "low_days": found.low,
            "median_days": found.median,
            "high_days": found.high,
            "n": found.n,
            "bytes_per_day": found.slope,
            "method": "theil-sen",
            **_capacity_growers.data(view, entry["mount"]),
        },
    )


@check(
    "capacity.forecast",
    title="Disk growth, long term",
    advice="Order or approve space in time, or find what grows.",
    needs=("disks",),
    controls=("ISO A.8.6", "SOC 2 A1.1"),
    thresholds=("days_to_full_watch", "days_to_full_crit"),
)
def days_to_full(view: View, policy: CapacityPolicy) -> Iterator[Verdict]:
    """Judge the median; the interval is always said. Too few points, or no clear trend, make no claim."""
    expected = f"more than {policy.days_to_full_watch:g} days"
    bad: list[Verdict] = []
    growing: list[tuple[Filesystem, forecast.Forecast]] = []
    steady = unclear = thin = 0
    for entry in _growing(view):
        found = outlook(view, entry)
        if isinstance(found, forecast.Thin):
            thin += 1
        elif found.trend == "growing":
            median = found.median or 0.0
            if median < policy.days_to_full_watch:
                state: State = "crit" if median < policy.days_to_full_crit else "watch"
                bad.append(_forecast_verdict(entry, found, state, view, expected))
            else:
                growing.append((entry, found))
        else:
            unclear += found.trend == "unclear"
            steady += found.trend == "none"
    if bad:
        yield from bad
        return
    texts = []
    if growing:
        entry, nearest = min(growing, key=lambda pair: pair[1].median or 0.0)
        texts.append(f"{entry['mount']}: {_forecast_text(nearest)}")
    texts += [f"{count_text(steady, 'filesystem')} without growth"] if steady else []
    texts += [f"{count_text(unclear, 'filesystem')} without a clear trend"] if unclear else []
    if texts:
        texts += [f"{count_text(thin, 'filesystem')} with too little data"] if thin else []
        yield Verdict("ok", observed=", ".join(texts), expected=expected)


@check(
    "capacity.burst",
    title="Disk growth, sudden",
    advice="Stop what is writing before the disk is full: a loop in a log, a stuck job, a backup to the wrong place.",
    needs=("disks",),
    controls=("ISO A.8.6", "SOC 2 A1.1"),
    thresholds=(
        "burst_watch_hours",
        "burst_watch_below_percent",
        "burst_crit_hours",
        "burst_crit_below_percent",
        "burst_window_hours",
    ),
)
def burst(view: View, policy: CapacityPolicy) -> Iterator[Verdict]:
    """Little room and a pace that uses it up within hours: both are needed."""
    bad = []
    judged = 0
    for entry in _growing(view):
        points = _used(view, entry)
        times = [at for at, _value in points if at >= view.now - _DAILY_WINDOW_HOURS * 3600.0]
        if not times or max(times) - min(times) < policy.burst_least_hours * 3600.0:
            continue
        judged += 1
        near = max(times) - min(at for at in times if at >= view.now - policy.burst_window_hours * 3600.0)
        window = policy.burst_window_hours if near >= policy.burst_least_hours * 3600.0 else _DAILY_WINDOW_HOURS
        hours = forecast.hours_to_full(points, float(entry["avail_bytes"]), view.now, window, policy.burst_least_hours)
        percent = avail_percent(entry)
        state: State = "ok"
        if hours is not None and hours < policy.burst_crit_hours and percent < policy.burst_crit_below_percent:
            state = "crit"
        elif hours is not None and hours < policy.burst_watch_hours and percent < policy.burst_watch_below_percent:
            earlier = view.history.series("disk.avail_percent", entry["mount"])
            state = persisting("watch", earlier, view.now, lambda value: value < policy.burst_watch_below_percent)
        if state != "ok" and hours is not None:
            bad.append(
                Verdict(
                    state,
                    object=entry["mount"],
                    observed=f"full in {hours:.1f} hours at the pace of the last {window:g} hours, {free_text(entry)}",
                    expected=f"not within {policy.burst_watch_hours:g} hours",
                    summary=f"{entry['mount']} is filling up fast and may be full in {hours:.1f} hours.",
                    advice="Find the writer now and stop it; then make room.",
                    command=view.command(
                        _WRITERS.format(shlex.quote(entry["mount"])),
                        _WRITERS_ON_WINDOWS.format(literal(entry["mount"])),
                    ),
                    deadline=view.now + hours * 3600.0,
                    data={"hours": hours, "window_hours": window},
                )
            )
    if bad:
        yield from bad
    elif judged:
        yield Verdict(
            "ok", observed=f"{count_text(judged, 'filesystem')}, none filling up fast", expected="no sudden growth"
        )
