# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: all clients of a provider on one page: the newest whole run of each. Pure.

For the provider alone: it is the only page that holds more than one client, and it lies in no client's folder.
"""

from __future__ import annotations

import gettext
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC

from ansible_collections.keepwell.fleet.plugins.plugin_utils import counting
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import DAY, STATES, State
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Counts, RunCounts, epoch, iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.charts import Chart, state_bar
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.clock import Clock
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import is_provisional
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.engineer import Tile, state_tiles
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.environment import Templates
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.grades import doubt_of
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.look import ORDER, Badge, badges
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.seal import Seal
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.visible import presentable, visible
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Run

TEMPLATE = "fleet/page.html.j2"
# A client that nobody looked at for longer is told first, however well it was.
STALE_DAYS = 2


@dataclass(frozen=True, slots=True)
class Member:
    """One client as it was read: ``trouble`` says why there is no run."""

    client: str
    run: Run | None
    seal: Seal | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class MemberRow:
    """One client, as a row."""

    id: str
    name: str
    letter: str
    verdict: str
    ended: str
    age: str
    stale: bool
    chart: Chart
    counts: RunCounts
    hosts: list[tuple[Badge, int]]
    results: list[tuple[Badge, int]]
    urgent: int
    first: str
    missed: int
    holds: int
    notes: list[str]


@dataclass(frozen=True, slots=True)
class FleetView:
    """The page."""

    rows: list[MemberRow]
    silent: list[tuple[str, str]]
    counts: RunCounts
    tiles: list[Tile]
    overview: Chart
    as_of: str
    urgent: int
    stale: int
    doubt: str

    @property
    def state_counts(self) -> list[tuple[Badge, int]]:
        """All results by state."""
        return [(tile.badge, tile.results) for tile in self.tiles]


def fleet_files(
    members: Sequence[Member], templates: Templates, texts: gettext.NullTranslations, now: float
) -> dict[str, bytes]:
    """Return the overview as a page. The same runs and moment give the same bytes."""
    return {"overview.html": templates.html(TEMPLATE, view=fleet_view(members, texts, now))}


def fleet_view(members: Sequence[Member], texts: gettext.NullTranslations, now: float) -> FleetView:
    """Return the page. Clients that ask for somebody come first."""
    clock, words = Clock(now, UTC, "UTC", texts), badges(texts)
    rows = [
        _row(member, presentable(member.run), clock, words, texts, place)
        for place, member in enumerate(sorted(members, key=lambda member: member.client))
        if member.run is not None
    ]
    rows.sort(key=lambda row: (not row.stale, -row.counts.hosts.crit, -row.counts.hosts.act, -row.urgent, row.id))
    counts = RunCounts(
        results=_sum([row.counts.results for row in rows]),
        hosts=_sum([row.counts.hosts for row in rows]),
        not_applicable=sum(row.counts.not_applicable for row in rows),
    )
    return FleetView(
        rows=rows,
        silent=sorted((visible(member.client), visible(member.trouble)) for member in members if member.run is None),
        counts=counts,
        tiles=state_tiles(words, counts),
        overview=state_bar("all", counts.results, width=960, height=14),
        as_of=clock.moment(iso(now)),
        urgent=sum(row.urgent > 0 for row in rows),
        stale=sum(row.stale for row in rows),
        doubt=doubt_of(texts, [row.letter for row in rows]),
    )


def _sum(counts: Sequence[Counts]) -> Counts:
    """Return several counts together."""
    return counting.count(state for entry in counts for state in STATES for _one in range(getattr(entry, state)))


def _row(
    member: Member, run: Run, clock: Clock, words: Mapping[State, Badge], texts: gettext.NullTranslations, place: int
) -> MemberRow:
    gettext_ = texts.gettext
    counts = counting.count_run(run.hosts)
    urgent = [problem for problem in counting.problems(run.hosts, run.checks) if problem.state in ("crit", "act")]
    ended = run.ended_at or run.header.started_at
    notes = []
    if is_provisional(run):
        notes.append(gettext_("no whole run yet: {why}").format(why="; ".join(run.header.partial) or run.status))
    if run.altered_evidence:
        notes.append(gettext_("evidence of the run before was changed"))
    if member.seal is None or not member.seal.signed_by:
        notes.append(gettext_("not signed"))
    return MemberRow(
        id=run.header.client.id,
        name=run.header.client.name,
        letter=(run.grade.text if run.grade else "") or "-",
        verdict=run.verdict,
        ended=clock.moment(ended),
        age=clock.age(ended),
        stale=clock.now - epoch(ended) > STALE_DAYS * DAY,
        chart=state_bar(f"c{place}", counts.results),
        counts=counts,
        hosts=[(words[state], getattr(counts.hosts, state)) for state in ORDER],
        results=[(words[state], getattr(counts.results, state)) for state in ORDER],
        urgent=len(urgent),
        first=texts.pgettext("check", urgent[0].title) if urgent else "",
        missed=sum(entry.count for entry in run.missed_runs),
        holds=len(run.holds),
        notes=notes,
    )
