# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: problems as a reader meets them: once each, with all hosts, worst first. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import State
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Finding, Problem
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.clock import Deadline
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.command import FleetCommand, fleet_command
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import Desk, HostLink, Shown, began, first
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.look import Badge

HOSTS_NAMED = 5
ROWS_SHOWN = 40


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One object of one host within a problem."""

    host: HostLink
    object: str
    observed: str
    since: str
    deadline: Deadline | None


@dataclass(frozen=True, slots=True)
class ProblemView:
    """A problem, ready to be set: every text is a text, every list knows what it leaves out."""

    id: str
    badge: Badge
    title: str
    pillar: str
    hosts: Shown[HostLink]
    findings: int
    observed: str
    expected: str
    summary: str
    advice: str
    since: str
    age: str
    deadline: Deadline | None
    command: FleetCommand | None
    typed: str
    rows: Shown[FindingRow]


def problem_views(desk: Desk, problems: Iterable[Problem], prefix: str) -> list[ProblemView]:
    """Return the views of some problems, in their order. ``prefix`` makes their ids unique on the page."""
    members = _members(desk)
    return [
        _view(desk, problem, f"{prefix}{place}", members.get((problem.state, problem.check), []))
        for place, problem in enumerate(problems, 1)
    ]


def _members(desk: Desk) -> dict[tuple[State, str], list[tuple[str, Finding]]]:
    members: dict[tuple[State, str], list[tuple[str, Finding]]] = {}
    for host in desk.run.hosts:
        for result in host.results:
            for finding in result.findings:
                members.setdefault((finding.state, result.check), []).append((host.host, finding))
    return members


def _view(desk: Desk, problem: Problem, name: str, members: list[tuple[str, Finding]]) -> ProblemView:
    wanted = set(problem.hosts)
    ordered = sorted(
        (member for member in members if member[0] in wanted),
        key=lambda member: (member[1].deadline or "9", began(member[1]), member[0], member[1].object),
    )
    command = fleet_command(problem.command, problem.hosts, desk.run.header.inventory)
    # With one finding the card itself says everything.
    rows = ordered if len(ordered) > 1 else []
    return ProblemView(
        id=name,
        badge=desk.badges[problem.state],
        title=problem.title,
        pillar=desk.pillar_title(problem.pillar),
        hosts=first(desk.links(problem.hosts), HOSTS_NAMED),
        findings=problem.findings,
        observed=problem.observed,
        expected=problem.expected,
        summary=problem.summary,
        advice=problem.advice,
        since=desk.clock.day(problem.since),
        age=desk.clock.known_for(problem.since, desk.run.header.started_at),
        deadline=desk.deadline(problem.deadline),
        command=command,
        typed=problem.command if command is None else "",
        rows=first([_row(desk, host, finding) for host, finding in rows], ROWS_SHOWN),
    )


def _row(desk: Desk, host: str, finding: Finding) -> FindingRow:
    return FindingRow(
        host=desk.link(host),
        object=finding.object,
        observed=finding.observed,
        since=desk.clock.day(began(finding)),
        deadline=desk.deadline(finding.deadline),
    )
