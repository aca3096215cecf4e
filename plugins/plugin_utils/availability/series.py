# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: from beats of the watch to the availability of hosts, services and the client. Pure.

Everything comes from beats: what answered, which windows were declared before they began, what was watched. So an old
month gives the same figures whenever it is asked for.
"""

from __future__ import annotations

import math
import typing as t
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.availability import figures
from ansible_collections.keepwell.fleet.plugins.plugin_utils.availability.figures import Answer, Figures, Point, Span
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import State
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import epoch, iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import (
    Availability,
    AvailabilityRow,
    OutageRecord,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.watch.models import Sample
from ansible_collections.keepwell.fleet.plugins.plugin_utils.watch.notices import blind

if t.TYPE_CHECKING:
    from ansible_collections.keepwell.fleet.plugins.plugin_utils.watch.book import Moment

# Beats before and after a period that say how it began, and confirm how it ended.
MARGIN_S = 3600.0
# A sample holds for two intervals: one beat may be late.
_HOLD = 2
OUTAGES_TOLD = 100
Subject = tuple[str, str]  # host, service; "" is the host itself


class Seen(t.NamedTuple):
    """What beats say: points of every subject, declared windows and restarts of every host."""

    points: dict[Subject, list[Point]]
    windows: dict[str, set[Span]]
    restarts: dict[str, list[float]]
    beats: list[float]


def read(moments: Iterable[Moment]) -> Seen:
    """Return what beats, in order, say."""
    seen = Seen({}, {}, {}, [])
    boots: dict[str, str] = {}
    for moment in moments:
        seen.beats.append(moment.at)
        asked = {host: moment.hosts[host] for host in moment.asked}
        nobody = blind(asked)
        hold = float(_HOLD * moment.beat.interval_s)
        for host, sample in asked.items():
            answer: Answer = "unknown" if nobody else sample.answer
            seen.points.setdefault((host, ""), []).append(Point(moment.at, answer, hold))
            for unit in sample.watched:
                state = _service(sample, unit) if answer == "ok" else answer
                seen.points.setdefault((host, unit), []).append(Point(moment.at, state, hold))
            for window in sample.windows:
                # Declared once it has begun, it is no announcement.
                if moment.at <= epoch(window.begin):
                    seen.windows.setdefault(host, set()).add(Span(epoch(window.begin), epoch(window.end)))
            if answer == "ok" and sample.boot:
                if boots.get(host, sample.boot) != sample.boot:
                    seen.restarts.setdefault(host, []).append(moment.at)
                boots[host] = sample.boot
    return seen


def _service(sample: Sample, unit: str) -> Answer:
    """Return how a watched unit of a host that answered is."""
    found = [
        entry.state for entry in sample.findings if entry.check == "services.watched" and entry.object in (unit, "")
    ]
    if not found:
        return "ok"
    return "fail" if "crit" in found else "unknown"


def availability(
    moments: Iterable[Moment],
    population: Sequence[str],
    targets: Mapping[str, float],
    begin: float,
    end: float,
    altered: t.Callable[[], Sequence[str]] = tuple,
) -> Availability | None:
    """Return the availability of all hosts of a client in a period; None when there was no beat in it.

    ``population`` are hosts that count even where no beat asked them. ``targets`` are agreed percents by host.
    ``altered`` is asked after all beats were read.
    """
    seen = read(moments)
    period = Span(begin, end)
    if not any(begin <= at < end for at in seen.beats):
        return None
    hosts = sorted({*population, *(host for host, _service in seen.points)})
    rows: list[AvailabilityRow] = []
    outages: list[OutageRecord] = []
    whole: list[Figures] = []
    for host in hosts:
        services = sorted(service for name, service in seen.points if name == host and service)
        for service in ["", *services]:
            found, note = _figures(seen, host, service, period)
            row = _row(found, targets.get(host) if not service else None, note, host, service)
            row.restarts = sum(1 for at in seen.restarts.get(host, ()) if begin <= at < end) if not service else 0
            rows.append(row)
            outages += _outages(found, host, service, period, seen.windows.get(host, set()))
            if not service:
                whole.append(found)
    agreed = {targets[host] for host in hosts if host in targets}
    together = _row(figures.total(whole), agreed.pop() if len(agreed) == 1 else None, "")
    together.outages = sum(row.outages for row in rows if not row.service)
    together.restarts = sum(row.restarts for row in rows)
    wrong = list(altered())
    for row in [together, *rows] if wrong else ():
        row.state, row.note = "unknown", "beats were changed: no figure of this time is sound"
    return Availability(
        begin=iso(begin),
        end=iso(end),
        beats=sum(1 for at in seen.beats if begin <= at < end),
        rows=[together, *rows],
        outages=sorted(outages, key=lambda outage: (-outage.seconds, outage.host, outage.service, outage.begin))[
            :OUTAGES_TOLD
        ],
        altered=wrong,
    )


def _figures(seen: Seen, host: str, service: str, period: Span) -> tuple[Figures, str]:
    points = seen.points.get((host, service), [])
    inside = [point for point in points if period.begin <= point.at < period.end]
    note = ""
    if not any(point.answer == "ok" for point in inside):
        # Whether it is down, or Keepwell has no way to it, nobody can tell: unknown, and in the denominator.
        note = "never seen up in this time" if inside else "never asked in this time"
        if not service:
            points = [point._replace(answer="unknown") for point in points]
    return figures.measure(points, period, seen.windows.get(host, ())), note


def _percent(share: float | None) -> float | None:
    """Return a share as percent, rounded down to a thousandth: what was not all is never 100."""
    return None if share is None else math.floor(share * 100000 + 1e-7) / 1000


def _row(found: Figures, target: float | None, note: str, host: str = "", service: str = "") -> AvailabilityRow:
    left = None if target is None else found.budget_left_s(target)
    state: State = "ok"
    if not found.measurable:
        state = "unknown"
        note = note or "too little was seen to call it measured"
    elif left is not None and left < 0:
        state = "act"
    if left is not None and left < 0 and found.down_s:
        state = "act"  # more is down for certain than was agreed, whatever the gaps were
    return AvailabilityRow(
        host=host,
        service=service,
        state=state,
        target_percent=target,
        period_s=found.period_s,
        excluded_s=found.excluded_s,
        up_s=found.up_s,
        down_s=found.down_s,
        gap_s=found.gap_s,
        coverage_percent=_percent(found.coverage),
        observed_percent=_percent(found.observed),
        pessimistic_percent=_percent(found.pessimistic),
        optimistic_percent=_percent(found.optimistic),
        budget_left_s=left,
        outages=len(found.outages),
        note=note,
    )


def _outages(found: Figures, host: str, service: str, period: Span, windows: Iterable[Span]) -> Iterable[OutageRecord]:
    taken = figures.union(windows)
    for outage in found.outages:
        span = Span(max(outage.begin, period.begin), min(outage.end or period.end, period.end))
        yield OutageRecord(
            host=host,
            service=service,
            begin=iso(outage.begin),
            end=None if outage.end is None else iso(outage.end),
            seconds=span.seconds,
            uncertainty_s=outage.uncertainty_s,
            counted_s=sum(part.seconds for part in figures.without([span], taken)),
        )
