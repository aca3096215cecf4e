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
from ansible_collections.keepwell.fleet.plugins.plugin_utils.availability.figures import (
    CONFIRM,
    Answer,
    Figures,
    Point,
    Span,
)
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


class Stretch(t.NamedTuple):
    """Beats in a row, without a gap, that saw the same of a host; ``nobody``: no host answered them."""

    sample: Sample
    nobody: bool
    hold: float
    at: float
    last: float
    samples: int

    def point(self, answer: Answer) -> Point:
        """Return it as samples with this answer."""
        return Point(self.at, "unknown" if self.nobody else answer, self.hold, self.last - self.at, self.samples)


class Seen(t.NamedTuple):
    """What beats say of every host, in order of time."""

    stretches: dict[str, list[Stretch]]
    windows: dict[str, set[Span]]
    restarts: dict[str, list[float]]
    beats: list[float]

    def services(self, host: str) -> list[str]:
        """Units of a host that were watched."""
        return sorted({unit for stretch in self.stretches.get(host, ()) for unit in stretch.sample.watched})

    def points(self, host: str, service: str) -> list[Point]:
        """Samples of a host ("" for the service), or of a service of it."""
        mine = self.stretches.get(host, [])
        if not service:
            return figures.joined(stretch.point(stretch.sample.answer) for stretch in mine)
        watching = (stretch for stretch in mine if service in stretch.sample.watched)
        return figures.joined(stretch.point(_service(stretch.sample, service)) for stretch in watching)


def read(moments: Iterable[Moment]) -> Seen:
    """Return what beats, in order, say. Hosts whose sample is the same object as before cost nearly nothing."""
    seen = Seen({}, {}, {}, [])
    boots: dict[str, str] = {}
    # Of every host the stretch that goes on: sample, nobody, hold, first, last, count.
    running: dict[str, list[t.Any]] = {}
    for moment in moments:
        at, hosts = moment.at, moment.hosts
        seen.beats.append(at)
        hold = float(_HOLD * moment.beat.interval_s)
        nobody = blind(hosts if moment.beat.asked is None else {host: hosts[host] for host in moment.asked})
        for host in moment.asked:
            sample = hosts[host]
            now = running.get(host)
            if now and now[0] is sample and now[1] == nobody and now[2] == hold and at - now[4] <= hold:
                now[4] = at
                now[5] += 1
                continue
            if now:
                seen.stretches.setdefault(host, []).append(Stretch(*now))
            running[host] = [sample, nobody, hold, at, at, 1]
            _note(seen, boots, host, sample, at)
    for host, now in running.items():
        seen.stretches.setdefault(host, []).append(Stretch(*now))
    return seen


def _note(seen: Seen, boots: dict[str, str], host: str, sample: Sample, at: float) -> None:
    """Keep the windows that a new sample declares, and that its host is another start."""
    declared = {Span(epoch(window.begin), epoch(window.end)) for window in sample.windows}
    kept = {left for span in seen.windows.get(host, ()) if (left := _still_declared(span, declared, at))}
    # Declared once it has begun, it is no announcement.
    if kept := kept | {span for span in declared if at <= span.begin}:
        seen.windows[host] = kept
    else:
        seen.windows.pop(host, None)
    if sample.answer == "ok" and sample.boot:
        if boots.get(host, sample.boot) != sample.boot:
            seen.restarts.setdefault(host, []).append(at)
        boots[host] = sample.boot


def _still_declared(span: Span, declared: Iterable[Span], at: float) -> Span | None:
    """Return what a beat leaves of a window that was announced before: what it does not name any more is withdrawn.

    Before it begins that is all of it, then the rest. A window that is over stays as it was.
    """
    if span.end <= at:
        return span
    if at <= span.begin:
        return span if span in declared else None
    end = max((entry.end for entry in declared if entry.begin <= at < entry.end), default=at)
    return Span(span.begin, min(span.end, end))


def _service(sample: Sample, unit: str) -> Answer:
    """Return how a watched unit of a host is: as its check says, and as its host where that does not answer."""
    if sample.answer != "ok":
        return sample.answer
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
    hosts = sorted({*population, *seen.stretches})
    rows: list[AvailabilityRow] = []
    outages: list[OutageRecord] = []
    whole: list[Figures] = []
    for host in hosts:
        for service in ["", *seen.services(host)]:
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
    points = seen.points(host, service)
    inside = [point for point in points if point.at < period.end and point.last >= period.begin]
    note = ""
    if not any(point.answer == "ok" for point in inside):
        # Whether it is down, or Keepwell has no way to it, nobody can tell: unknown, and in the denominator.
        note = "never seen up in this time" if inside else "never asked in this time"
        if not service:
            points = [point._replace(answer="unknown") for point in points]
    elif sum(point.samples for point in points) < CONFIRM:
        # One sample confirms nothing: neither that it is down, nor that it is up.
        note = "asked only once in this time"
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
