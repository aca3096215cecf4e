# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the grade: weighted pillars, then caps. Pure.

``MODEL`` is the version of these rules. It is printed beside every grade; old grades are never recomputed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import Pillar, State
from ansible_collections.keepwell.fleet.plugins.plugin_utils.counting import count
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import (
    CheckInfo,
    CheckResult,
    Finding,
    Grade,
    GradeCap,
    GradePillar,
    GradeStep,
    HostResult,
    Problem,
)

MODEL = 1
LETTERS = ((90.0, "A"), (80.0, "B"), (70.0, "C"), (60.0, "D"), (50.0, "E"), (0.0, "F"))
# What a result in this state is worth; accepted ones were decided by a human and neither help nor hurt.
WORTH: dict[State, float] = {"ok": 1.0, "watch": 0.75, "unknown": 0.4, "act": 0.3, "crit": 0.0}
PILLARS: tuple[tuple[str, int, tuple[Pillar, ...]], ...] = (
    ("availability", 20, ("availability", "services", "network", "time")),
    ("patching", 25, ("patching",)),
    ("backup", 20, ("backup",)),
    ("capacity", 15, ("capacity", "hardware")),
    ("security", 15, ("antivirus", "access", "certificates")),
    ("lifecycle", 5, ("lifecycle",)),
)
UNKNOWN_HOSTS_LIMIT_PERCENT = 5
CRITICAL = "something critical is open"


def grade(hosts: Sequence[HostResult], checks: Sequence[CheckInfo], problems: Sequence[Problem]) -> Grade:
    """Return the grade of a run. ``letter`` is None when nothing was judged."""
    pillar_of = {check.id: check.pillar for check in checks}
    results = [result for host in hosts for result in host.results]
    pillars = [_pillar(name, weight, members, results, pillar_of) for name, weight, members in PILLARS]
    scored = [pillar for pillar in pillars if pillar.score is not None]
    if not scored or all(host.state == "unknown" and not host.contact.reached for host in hosts):
        return Grade(model=MODEL, letter=None, pillars=pillars)
    weights = sum(pillar.weight for pillar in scored)
    score = _floor(sum((pillar.score or 0.0) * pillar.weight for pillar in scored) / weights)
    letter = next(letter for limit, letter in LETTERS if score >= limit)
    caps = _caps(hosts, results)
    for cap in caps:
        letter = max(letter, cap.letter)
    unseen = sum(1 for host in hosts if not host.contact.reached)
    improve = _improve(letter, caps, problems)
    return Grade(
        model=MODEL,
        letter=letter,
        uncertain=unseen * 100 > UNKNOWN_HOSTS_LIMIT_PERCENT * len(hosts),
        score=score,
        pillars=pillars,
        caps=caps,
        improve=[line for line, _step in improve],
        steps=[step for _line, step in improve],
    )


def _floor(value: float) -> float:
    return math.floor(value * 10 + 1e-9) / 10


def _pillar(
    name: str,
    weight: int,
    members: tuple[Pillar, ...],
    results: Sequence[CheckResult],
    pillar_of: dict[str, Pillar],
) -> GradePillar:
    states = [result.state for result in results if pillar_of.get(result.check) in members]
    worths = [WORTH[state] for state in states if state in WORTH]
    score = _floor(100 * sum(worths) / len(worths)) if worths else None
    return GradePillar(name=name, weight=weight, score=score, counts=count(states))


def _caps(hosts: Sequence[HostResult], results: Sequence[CheckResult]) -> list[GradeCap]:
    """Rules that no average can outweigh; worst letter first."""
    caps = []
    findings: list[tuple[str, Finding]] = [
        (result.check, finding) for result in results for finding in result.findings if finding.state != "accepted"
    ]
    critical = {check for check, finding in findings if finding.state == "crit"}
    if critical:
        caps.append(GradeCap(letter="C", code="critical", reason=CRITICAL))
    if any(finding.data.get("exploited") and finding.data.get("overdue") for _check, finding in findings):
        reason = "a known-exploited vulnerability is past its deadline"
        caps.append(GradeCap(letter="C", code="exploited", reason=reason))
    if any(finding.data.get("rpo_factor", 0) > 2 for _check, finding in findings):
        caps.append(GradeCap(letter="C", code="old_backup", reason="a backup is more than twice as old as agreed"))
    unseen = [host.host for host in hosts if not host.contact.reached]
    if len(unseen) * 100 > UNKNOWN_HOSTS_LIMIT_PERCENT * len(hosts):
        reason = f"{len(unseen)} of {len(hosts)} hosts could not be looked at"
        caps.append(GradeCap(letter="B", code="unseen", reason=reason))
    # Until a restore is proven on every host, the best is B: a job that ended well is no proof, no backup even less.
    proof = [result.state for result in results if result.check in ("backup.present", "backup.proof")]
    if any(state not in ("ok", "accepted") for state in proof):
        reason = "no restore has been proven within the agreed interval"
        caps.append(GradeCap(letter="B", code="unproven", reason=reason))
    return sorted(caps, key=lambda cap: cap.letter, reverse=True)


def _improve(letter: str, caps: Sequence[GradeCap], problems: Sequence[Problem]) -> list[tuple[str, GradeStep]]:
    """At most three lines: the worst problems by name, then the caps that no problem in the list stands for."""
    if letter == "A":
        return []
    lines = []
    for problem in problems:
        if problem.state in ("crit", "act"):
            size = len(problem.hosts)
            line = f"{problem.title}: {problem.observed} ({size} host{'' if size == 1 else 's'})."
            lines.append((line, GradeStep(check=problem.check, hosts=size)))
    named = any(problem.state == "crit" for problem in problems)
    capped = [
        (cap.reason[0].upper() + cap.reason[1:] + ".", GradeStep(cap=cap.code))
        for cap in caps
        if not (named and cap.code == "critical")
    ]
    # A cap holds the letter down whatever else is mended, so at least one is always told.
    return [*lines[: 3 - min(len(capped), 1)], *capped][:3]
