# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the engineer's report as data: all that the templates set, nothing left to work out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils import counting
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import State
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import FindingChange, Grade, GradeStep, RunCounts
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.availability import (
    AvailabilityView,
    MissedLine,
    availability_view,
    missed_lines,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.backups import BackupsView, backups_view
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.catalogues import SOURCE
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.charts import (
    COLUMN,
    ROW,
    Chart,
    heat_map,
    state_bar,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import (
    Desk,
    HostLink,
    Shown,
    file_name,
    first,
    is_provisional,
    rank,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.holds import HoldsView, holds_view
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.hosts import (
    INDEX_HOSTS,
    Accepted,
    HostView,
    accepted_of,
    host_view,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.look import ORDER, Badge
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.owner import telling
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.problems import ProblemView, problem_views
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.unknown import UnknownView, unknown_view
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.work import WorkView, work_view

CHANGES_SHOWN = 25
# A host that fell silent, or came back, changes all its checks at once: that is one line, not thirty.
WHOLE_HOST = 8


@dataclass(frozen=True, slots=True)
class Tile:
    """One state with its two numbers."""

    badge: Badge
    hosts: int
    results: int


@dataclass(frozen=True, slots=True)
class Step:
    """Something that keeps the grade from an A. ``cap`` is the letter that it allows at most, "" for no rule."""

    text: str
    cap: str


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One check that changed in the same way on some hosts."""

    before: Badge | None
    now: Badge
    title: str
    observed: str
    hosts: Shown[HostLink]


@dataclass(frozen=True, slots=True)
class ChangesView:
    """What differs from the previous run; ``previous`` is empty on the first one."""

    previous: str
    previous_at: str
    new: Shown[ChangeRow]
    worse: Shown[ChangeRow]
    better: Shown[ChangeRow]
    resolved: Shown[ChangeRow]
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class HeatMapView:
    """The map with its labels. ``hidden`` hosts are ok in everything and not drawn; they hold ``hidden_results``."""

    chart: Chart
    columns: list[str]
    rows: list[tuple[HostLink, Badge]]
    column_width: int
    row_height: int
    legend: list[tuple[Badge, int]]
    hidden: int
    hidden_results: int


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One check over all hosts."""

    title: str
    check: str
    counts: list[tuple[Badge, int]]
    total: int
    chart: Chart
    not_applicable: int
    controls: str


@dataclass(frozen=True, slots=True)
class PillarView:
    """The checks of one pillar; ``unused`` ones apply to no host of this run."""

    title: str
    rows: list[CheckRow]
    unused: list[str]


@dataclass(frozen=True, slots=True)
class EngineerView:
    """The page, from top to bottom."""

    desk: Desk
    provisional: bool
    index: str
    counts: RunCounts
    grade: Grade | None
    improve: list[Step]
    caps: list[Step]
    data_as_of: str
    tiles: list[Tile]
    overview: Chart
    today: list[ProblemView]
    watch: list[ProblemView]
    changes: ChangesView | None
    holds: HoldsView | None
    work: WorkView | None
    backups: BackupsView | None
    availability: AvailabilityView | None
    missed: list[MissedLine]
    unknown: UnknownView
    heat: HeatMapView
    pillars: list[PillarView]
    hosts: Shown[HostView]
    all_hosts: list[HostLink]
    accepted: Shown[Accepted]
    exports: list[str]

    @property
    def split(self) -> bool:
        """True when every host has a page of its own."""
        return self.desk.split

    @property
    def state_counts(self) -> list[tuple[Badge, int]]:
        """All results by state."""
        return [(tile.badge, tile.results) for tile in self.tiles]


def engineer_view(desk: Desk, exports: Sequence[str] = ()) -> EngineerView:
    """Return the engineer's report of a run. ``exports`` are the files that lie beside it."""
    run = desk.run
    counts = counting.count_run(run.hosts)
    problems = counting.problems(run.hosts, run.checks)
    ranked = sorted(run.hosts, key=rank)
    listed = [host for host in ranked if host.state != "ok"] if desk.split else ranked
    shown = min(len(listed), INDEX_HOSTS) if desk.split else len(listed)
    return EngineerView(
        desk=desk,
        provisional=is_provisional(run),
        index=file_name(run, "engineer", "html"),
        counts=counts,
        grade=run.grade,
        improve=_improve(desk),
        caps=cap_steps(desk),
        data_as_of=desk.clock.moment(run.data_as_of) if run.data_as_of else "",
        tiles=state_tiles(desk.badges, counts),
        overview=state_bar("all", counts.results, width=960, height=14),
        today=problem_views(desk, [p for p in problems if p.state in ("crit", "act")], "t"),
        watch=problem_views(desk, [p for p in problems if p.state == "watch"], "w"),
        changes=changes_view(desk),
        holds=holds_view(desk),
        work=work_view(desk),
        backups=backups_view(desk),
        availability=availability_view(desk),
        missed=missed_lines(desk),
        unknown=unknown_view(desk),
        heat=_heat(desk),
        pillars=_pillars(desk),
        hosts=Shown([host_view(desk, host, brief=desk.split) for host in listed[:shown]], len(listed) - shown),
        all_hosts=desk.links(sorted(host.host for host in run.hosts)) if desk.split else [],
        accepted=first(accepted_of(desk, run.hosts), 200),
        exports=list(exports),
    )


def state_tiles(words: Mapping[State, Badge], counts: RunCounts) -> list[Tile]:
    """Return the six states with their numbers, what asks for attention first."""
    return [Tile(words[state], getattr(counts.hosts, state), getattr(counts.results, state)) for state in ORDER]


def _improve(desk: Desk) -> list[Step]:
    grade = desk.run.grade
    if grade is None or desk.language == SOURCE or not grade.steps:
        return improve_steps(grade)
    letters = {cap.code: cap.letter for cap in grade.caps}
    return [Step(_step_text(desk, step), letters.get(step.cap, "") if step.cap else "") for step in grade.steps]


def improve_steps(grade: Grade | None) -> list[Step]:
    """Return caps and what would make this an A, each thing once: a cap that is also an advice is one line."""
    if grade is None:
        return []
    caps = {cap.reason.rstrip(".").casefold(): cap.letter for cap in reversed(grade.caps)}
    steps = [Step(line, caps.pop(line.rstrip(".").casefold(), "")) for line in grade.improve]
    left = [cap for cap in grade.caps if cap.reason.rstrip(".").casefold() in caps]
    return [Step(cap.reason[:1].upper() + cap.reason[1:].rstrip(".") + ".", cap.letter) for cap in left] + steps


def cap_steps(desk: Desk) -> list[Step]:
    """Return the rules that limit the grade, each with its letter."""
    caps = desk.run.grade.caps if desk.run.grade else []
    if desk.language == SOURCE:
        return [Step(cap.reason, cap.letter) for cap in caps]
    return [Step(telling.cap_words(desk, cap.code) or cap.reason, cap.letter) for cap in caps]


def _step_text(desk: Desk, step: GradeStep) -> str:
    if step.cap:
        return telling.cap_words(desk, step.cap) or step.cap
    hosts = desk.texts.ngettext("{n} host", "{n} hosts", step.hosts).format(n=step.hosts)
    return f"{desk.title(step.check)} ({hosts})"


def changes_view(desk: Desk) -> ChangesView | None:
    """Return what changed since the previous run; None when the run did not compare."""
    delta = desk.run.delta
    if delta is None:
        return None
    return ChangesView(
        previous=delta.previous_run_id or "",
        previous_at=desk.clock.moment(delta.previous_at) if delta.previous_at else "",
        new=_changes(desk, delta.new),
        worse=_changes(desk, delta.worse),
        better=_changes(desk, delta.better),
        resolved=_changes(desk, delta.resolved),
        counts={
            "new": len(delta.new),
            "worse": len(delta.worse),
            "better": len(delta.better),
            "resolved": len(delta.resolved),
            "open": delta.still_open,
        },
    )


def _changes(desk: Desk, changes: Sequence[FindingChange]) -> Shown[ChangeRow]:
    per_host = Counter((change.host, change.previous_state, change.state) for change in changes)
    grouped: dict[tuple[str, State | None, State], list[FindingChange]] = {}
    for change in changes:
        number = per_host[change.host, change.previous_state, change.state]
        title = desk.texts.gettext("{number} findings at once").format(number=number)
        key = title if number > WHOLE_HOST else change.title
        grouped.setdefault((key, change.previous_state, change.state), []).append(change)
    rows = [
        ChangeRow(
            before=desk.badges[before] if before else None,
            now=desk.badges[now],
            title=title,
            observed=members[0].observed,
            hosts=first(desk.links(dict.fromkeys(change.host for change in members)), 8),
        )
        for (title, before, now), members in grouped.items()
    ]
    return first(sorted(rows, key=lambda row: (ORDER.index(row.now.state), -row.hosts.total, row.title)), CHANGES_SHOWN)


def _heat(desk: Desk) -> HeatMapView:
    run = desk.run
    seen = {result.check for host in run.hosts for result in host.results}
    columns = [check for check in desk.checks if check in seen] + sorted(seen - set(desk.checks))
    drawn = [host for host in sorted(run.hosts, key=rank) if not desk.split or host.state != "ok"]
    cells: list[list[State | None]] = []
    for host in drawn:
        states = {result.check: result.state for result in host.results}
        cells.append([states.get(check) for check in columns])
    chart = heat_map("heat", cells)
    drawn_cells = {layer.state: layer.cells for layer in chart.layers}
    hidden = [host for host in run.hosts if desk.split and host.state == "ok"]
    return HeatMapView(
        chart=chart,
        columns=[desk.title(check) for check in columns],
        rows=[(desk.link(host.host), desk.badges[host.state]) for host in drawn],
        column_width=COLUMN,
        row_height=ROW,
        legend=[(desk.badges[state], drawn_cells.get(state, 0)) for state in ORDER],
        hidden=len(hidden),
        hidden_results=sum(len(host.results) for host in hidden),
    )


def _pillars(desk: Desk) -> list[PillarView]:
    states: dict[str, list[State]] = {}
    left_out: dict[str, int] = {}
    for host in desk.run.hosts:
        for result in host.results:
            states.setdefault(result.check, []).append(result.state)
        for check in host.not_applicable:
            left_out[check] = left_out.get(check, 0) + 1
    pillars: dict[str, PillarView] = {}
    for place, (check, info) in enumerate(desk.checks.items(), 1):
        counts = counting.count(states.get(check, ()))
        row = CheckRow(
            title=info.title,
            check=check,
            counts=[(desk.badges[state], getattr(counts, state)) for state in ORDER],
            total=counts.total,
            chart=state_bar(f"b{place}", counts),
            not_applicable=left_out.get(check, 0),
            controls=", ".join(info.controls),
        )
        title = desk.pillar_title(info.pillar)
        pillar = pillars.setdefault(title, PillarView(title, [], []))
        if counts.total:
            pillar.rows.append(row)
        else:
            pillar.unused.append(info.title)
    return list(pillars.values())
