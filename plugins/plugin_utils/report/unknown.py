# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what we do not know, and why. Never left out, never taken for ok. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils import counting
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Problem
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import Desk, HostLink, Shown, first
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.problems import ProblemView, problem_views

NAMES_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Reason:
    """Hosts that share a reason."""

    what: str
    why: str
    hosts: Shown[HostLink]


@dataclass(frozen=True, slots=True)
class UnknownView:
    """Silent hosts by reason, hosts nobody asked, checks without an answer, sources not read, runs that never
    ended; and hosts that no plan covers, which are in no count."""

    silent: list[Reason]
    unasked: Shown[str]
    shared: list[Reason]
    checks: list[ProblemView]
    sources: list[Reason]
    interrupted: list[str]
    uncovered: Shown[str]

    @property
    def is_empty(self) -> bool:
        """True when everything that should have been looked at was."""
        return not (self.silent or self.unasked.items or self.shared or self.checks or self.sources or self.interrupted)

    @property
    def silent_hosts(self) -> int:
        """How many hosts gave no observation."""
        return sum(reason.hosts.total for reason in self.silent)


def unknown_view(desk: Desk) -> UnknownView:
    """Return what this run could not see."""
    run = desk.run
    answered = {host.host for host in run.hosts}
    reached = [host for host in run.hosts if host.contact.reached]
    # A silent host makes every check unknown: it is told above, once, and not again under each check.
    unclear = [problem for problem in counting.problems(reached, run.checks) if problem.state == "unknown"]
    return UnknownView(
        silent=_silent(desk),
        unasked=first([name for name in run.header.population if name not in answered], NAMES_SHOWN),
        shared=_shared(desk, unclear),
        checks=problem_views(desk, [problem for problem in unclear if not _is_shared(problem, unclear)], "u"),
        sources=_sources(desk),
        interrupted=run.interrupted_runs,
        uncovered=first(run.header.uncovered, NAMES_SHOWN),
    )


def _silent(desk: Desk) -> list[Reason]:
    by_reason: dict[str, list[str]] = {}
    for host in desk.run.hosts:
        if not host.contact.reached:
            by_reason.setdefault(host.contact.reason or desk.texts.gettext("no reason was given"), []).append(host.host)
    return [
        Reason("", reason, first(desk.links(sorted(hosts)), NAMES_SHOWN))
        for reason, hosts in sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0]))
    ]


def _is_shared(problem: Problem, problems: Sequence[Problem]) -> bool:
    """True when another check has no answer for the same reason on the same hosts."""
    return any(
        other.check != problem.check and other.observed == problem.observed and other.hosts == problem.hosts
        for other in problems
    )


def _shared(desk: Desk, problems: Sequence[Problem]) -> list[Reason]:
    """Return checks that share a reason and their hosts: one lost probe silences many checks, and is told once."""
    grouped: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for problem in problems:
        if _is_shared(problem, problems):
            grouped.setdefault((problem.observed, tuple(problem.hosts)), []).append(problem.title)
    return [
        Reason(", ".join(titles), why, first(desk.links(hosts), NAMES_SHOWN))
        for (why, hosts), titles in grouped.items()
    ]


def _sources(desk: Desk) -> list[Reason]:
    """Return refused or failed probes and sources, grouped. A tool that is not installed is no gap in sight."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for host in desk.run.hosts:
        if host.contact.become_refused:
            grouped.setdefault((desk.texts.gettext("becoming root"), host.contact.become_refused), []).append(host.host)
        for name, probe in host.probes.items():
            if probe.status not in ("ok", "absent"):
                why = f"{probe.status}: {probe.detail}" if probe.detail else probe.status
                grouped.setdefault((name, why), []).append(host.host)
            for source, said in probe.sources.items():
                if not said.startswith("absent"):
                    grouped.setdefault((f"{name}: {source}", said), []).append(host.host)
    return [
        Reason(what, why, first(desk.links(sorted(hosts)), NAMES_SHOWN))
        for (what, why), hosts in sorted(grouped.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
