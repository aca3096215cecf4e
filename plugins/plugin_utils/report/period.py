# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the report of a period as data: trends, availability, work, what was found. Pure."""

from __future__ import annotations

import gettext
import itertools
from collections import Counter
from dataclasses import dataclass, replace

from ansible_collections.keepwell.fleet.plugins.plugin_utils import counting
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import BAD
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Problem, RunCounts
from ansible_collections.keepwell.fleet.plugins.plugin_utils.period import tracking
from ansible_collections.keepwell.fleet.plugins.plugin_utils.period.models import (
    ChangeEntry,
    Period,
    RestoreEntry,
    RunEntry,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.period.tracking import Flow
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.availability import (
    AvailabilityView,
    MissedLine,
    availability_view,
    missed_lines,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.charts import Chart, Line, grade_line, state_bar
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import (
    Desk,
    Shown,
    desk_for,
    file_name,
    first,
    is_provisional,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.engineer import Tile, state_tiles
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.environment import Templates
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.grades import doubt_of
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.look import ORDER, Badge
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.seal import Seal
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.visible import presentable
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Run

TEMPLATE = "period/page.html.j2"
# More lines than these are no trend that somebody sees.
POINTS = 32
GRADES_SHOWN = 12
ROWS_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Point:
    """One whole run of the trend."""

    when: str
    run: RunEntry
    letter: str
    chart: Chart
    counts: list[tuple[Badge, int]]


@dataclass(frozen=True, slots=True)
class FlowRow:
    """What came and went in one pillar."""

    title: str
    flow: Flow


@dataclass(frozen=True, slots=True)
class WorkRow:
    """What one chore did."""

    chore: str
    done: int
    bad: int
    kept_back: int
    packages: int
    cves: int
    reboots: int


@dataclass(frozen=True, slots=True)
class PeriodView:
    """The page, from top to bottom."""

    desk: Desk
    period: Period
    provisional: bool
    begin: str
    end: str
    counts: RunCounts
    tiles: list[Tile]
    overview: Chart
    runs: int
    whole_runs: int
    by_schedule: int
    unsound: list[str]
    trend: Shown[Point]
    grades: Line | None
    graded: list[Point]
    doubt: str
    flows: list[FlowRow]
    together: Flow
    work: list[WorkRow]
    bad: Shown[ChangeEntry]
    restores: Shown[RestoreEntry]
    restore_ends: list[tuple[str, int]]
    availability: AvailabilityView | None
    missed: list[MissedLine]
    open: Shown[Problem]
    exports: list[str]

    @property
    def state_counts(self) -> list[tuple[Badge, int]]:
        """All results by state."""
        return [(tile.badge, tile.results) for tile in self.tiles]


def period_files(
    run: Run,
    period: Period,
    templates: Templates,
    texts: gettext.NullTranslations,
    seal: Seal | None,
    exports: list[str],
) -> dict[str, bytes]:
    """Return the report of a period that ended with a run. ``exports`` are the files that lie beside it."""
    view = period_view(run, period, texts, seal, exports)
    return {file_name(run, "period", "html"): templates.html(TEMPLATE, view=view)}


def period_view(
    run: Run,
    period: Period,
    texts: gettext.NullTranslations,
    seal: Seal | None = None,
    exports: list[str] | None = None,
) -> PeriodView:
    """Return the page."""
    shown = presentable(period)
    desk = desk_for(run, texts, seal=seal)
    # The same lines as in the engineer's report, of the whole period.
    wide = replace(
        desk, run=desk.run.model_copy(update={"availability": shown.availability, "missed_runs": shown.missed})
    )
    counts = counting.count_run(desk.run.hosts)
    trend = _trend(desk, shown)
    graded = trend.items[-GRADES_SHOWN:]
    flows = tracking.flows(shown.tracks, shown.begin, list(dict.fromkeys(check.pillar for check in desk.run.checks)))
    bad = [entry for entry in shown.changes if entry.outcome in (*BAD, "running")]
    return PeriodView(
        desk=desk,
        period=shown,
        provisional=is_provisional(run),
        begin=desk.clock.moment(shown.begin),
        end=desk.clock.moment(shown.end),
        counts=counts,
        tiles=state_tiles(desk.badges, counts),
        overview=state_bar("all", counts.results, width=960, height=14),
        runs=len(shown.runs),
        whole_runs=sum(entry.whole for entry in shown.runs),
        by_schedule=sum(_by_schedule(entry) for entry in shown.runs),
        unsound=[*shown.broken, *(text for entry in shown.runs for text in entry.altered)],
        trend=trend,
        grades=grade_line([point.letter[:1].strip("-") for point in graded]),
        graded=graded,
        doubt=doubt_of(texts, [point.letter for point in trend.items]),
        flows=[FlowRow(desk.pillar_title(flow.pillar), flow) for flow in flows],
        together=tracking.flow("availability", shown.tracks, shown.begin),
        work=_work(shown),
        bad=first(bad, ROWS_SHOWN),
        restores=first(shown.restores[::-1], ROWS_SHOWN),
        restore_ends=sorted(Counter(entry.outcome for entry in shown.restores).items()),
        availability=availability_view(wide),
        missed=missed_lines(wide),
        open=first(
            [entry for entry in counting.problems(desk.run.hosts, desk.run.checks) if entry.state != "unknown"],
            ROWS_SHOWN,
        ),
        exports=exports or [],
    )


def _by_schedule(entry: RunEntry) -> bool:
    return bool(entry.entry) or (entry.trigger is not None and entry.trigger.origin in tracking.UNATTENDED)


def _trend(desk: Desk, period: Period) -> Shown[Point]:
    """Return the last whole run of each day; of a long period, of as many days as can be seen, evenly."""
    whole = [entry for entry in period.runs if entry.whole]
    daily = [list(group)[-1] for _day, group in itertools.groupby(whole, key=lambda run: desk.clock.day(run.ended_at))]
    step = -(-len(daily) // POINTS) or 1
    # Counted from the end, so that the newest is always there.
    chosen = daily[::-1][::step][::-1]
    return Shown([_point(desk, entry, place) for place, entry in enumerate(chosen)], len(daily) - len(chosen))


def _point(desk: Desk, entry: RunEntry, place: int) -> Point:
    if entry.counts is None:
        raise ValueError(f"run {entry.run_id} has no counts")
    results = entry.counts.results
    return Point(
        when=desk.clock.day(entry.ended_at),
        run=entry,
        letter=(entry.grade.text if entry.grade else "") or "-",
        chart=state_bar(f"t{place}", results),
        counts=[(desk.badges[state], getattr(results, state)) for state in ORDER],
    )


def _work(period: Period) -> list[WorkRow]:
    rows = []
    for chore in dict.fromkeys(sorted(entry.chore for entry in period.changes)):
        mine = [entry for entry in period.changes if entry.chore == chore]
        done = [entry for entry in mine if entry.outcome == "done"]
        rows.append(
            WorkRow(
                chore=chore,
                done=len(done),
                bad=sum(entry.outcome in (*BAD, "running") for entry in mine),
                kept_back=sum(entry.outcome in ("skipped", "refused") for entry in mine),
                packages=sum(entry.packages for entry in done),
                cves=sum(entry.cves for entry in done),
                reboots=sum(entry.rebooted for entry in done),
            )
        )
    return rows
