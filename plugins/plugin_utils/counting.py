# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the one counting function, and the problems made of findings. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import SEVERITY, STATES, State
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import (
    CheckInfo,
    Counts,
    Finding,
    HostResult,
    Problem,
    RunCounts,
)

# What asks for attention, worst first. Accepted findings are listed apart.
OPEN_STATES: tuple[State, ...] = ("crit", "act", "unknown", "watch")


def count(states: Iterable[State]) -> Counts:
    """Count states; the six figures add up to ``total`` by construction."""
    counter = Counter(states)
    return Counts(total=sum(counter.values()), **{state: counter[state] for state in STATES})


def count_run(hosts: Sequence[HostResult]) -> RunCounts:
    """Count results and hosts of a run."""
    return RunCounts(
        results=count(result.state for host in hosts for result in host.results),
        hosts=count(host.state for host in hosts),
        not_applicable=sum(len(host.not_applicable) for host in hosts),
    )


def problems(hosts: Sequence[HostResult], checks: Sequence[CheckInfo]) -> list[Problem]:
    """Group open findings by check and state, worst first, then by number of hosts, then by check order.

    A problem is told once, with all its hosts, in the words of its worst finding: the one that is open longest.
    """
    order = {check.id: place for place, check in enumerate(checks)}
    info = {check.id: check for check in checks}
    grouped: dict[tuple[State, str], list[tuple[str, Finding]]] = {}
    for host in hosts:
        for result in host.results:
            for finding in result.findings:
                if finding.state in OPEN_STATES:
                    grouped.setdefault((finding.state, result.check), []).append((host.host, finding))
    found = [
        _problem(state, info[check_id], members) for (state, check_id), members in grouped.items() if check_id in info
    ]
    return sorted(found, key=lambda p: (-SEVERITY.index(p.state), -len(p.hosts), order[p.check]))


def _problem(state: State, check: CheckInfo, members: list[tuple[str, Finding]]) -> Problem:
    def began(finding: Finding) -> str:
        return min(finding.first_seen, finding.since or finding.first_seen)

    # The earliest deadline leads, then the oldest; the host's name makes the choice repeatable.
    def urgency(member: tuple[str, Finding]) -> tuple[str, str, str, str]:
        host, finding = member
        return finding.deadline or "9", began(finding), host, finding.object

    lead = min(members, key=urgency)[1]
    deadlines = [finding.deadline for _host, finding in members if finding.deadline]
    return Problem(
        check=check.id,
        pillar=check.pillar,
        title=check.title,
        state=state,
        hosts=sorted({host for host, _finding in members}),
        findings=len(members),
        observed=lead.observed,
        expected=lead.expected,
        summary=lead.summary,
        advice=lead.advice or check.advice,
        command=lead.command,
        since=min(began(finding) for _host, finding in members),
        deadline=min(deadlines) if deadlines else None,
    )
