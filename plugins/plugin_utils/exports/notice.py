# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: a run in short: what every message is made of, so that no number differs between them.

The webhook's body is this document. Texts are already made visible and cut: what a host said can be of any length.
Pure.
"""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

from pydantic import Field

from ansible_collections.keepwell.fleet.plugins.plugin_utils import acted, counting, status
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import State
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import canonical
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import (
    SCHEMA_VERSION,
    Client,
    Model,
    Problem,
    RunCounts,
    Timestamp,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import Desk

PROBLEMS_SHOWN = 10
HOSTS_NAMED = 5
NAME_LIMIT = 80
TEXT_LIMIT = 400
_URGENT: tuple[State, ...] = ("crit", "act")


class NoticeProblem(Model):
    """A problem as a message tells it."""

    state: State
    check: str
    title: str
    hosts: int
    named: list[str] = Field(description="the first of them")
    observed: str
    expected: str = ""
    advice: str = ""
    since: Timestamp
    deadline: Timestamp | None = None
    overdue: bool = False


class NoticeDelta(Model):
    """How many findings differ from the run before."""

    previous_run_id: str
    new: int
    worse: int
    better: int
    resolved: int
    still_open: int


class NoticeBackups(Model):
    """How many declared datasets are proven."""

    total: int
    proven: int


class Notice(Model):
    """A run in short. ``event`` says what kind of message this is; there is one kind."""

    schema_version: str = SCHEMA_VERSION
    event: t.Literal["run"] = "run"
    client: Client
    run_id: str
    started_at: Timestamp
    ended_at: Timestamp | None = None
    data_as_of: Timestamp | None = None
    partial: list[str] = Field([], description="why this run does not speak for the whole client; empty when it does")
    outcome: t.Literal["healthy", "watch", "incomplete", "act", "crit"]
    verdict: str
    grade: str | None = Field(None, description="A to F; null where there is not enough evidence")
    grade_uncertain: bool = False
    counts: RunCounts
    unreached: int = Field(description="hosts that gave no observation")
    unreached_named: list[str] = Field([], description="the first of them")
    urgent: int = Field(description="problems that are critical or need action")
    problems: list[NoticeProblem] = Field(
        [],
        description="the worst ones, worst first; what is unknown because a host is silent is told once, by its name",
    )
    more_problems: int = 0
    delta: NoticeDelta | None = None
    changes: dict[str, int] = Field({}, description="what was done, by outcome")
    backups: NoticeBackups | None = None
    altered_evidence: bool = Field(False, description="evidence of the run before was changed")

    @property
    def grade_text(self) -> str:
        """``B``, ``B?`` when too much is unknown, or "" when there is none."""
        return f"{self.grade}{'?' if self.grade_uncertain else ''}" if self.grade else ""

    def body(self) -> bytes:
        """Return the body of a webhook: canonical JSON with every field."""
        return canonical(self.model_dump(mode="json"))


def notice_of(desk: Desk) -> Notice:
    """Return a run in short. Its counts are those of the one counting function."""
    run = desk.run
    problems = _problems(desk)
    silent = [host.host for host in run.hosts if not host.contact.reached]
    return Notice(
        client=run.header.client.model_copy(update={"name": cut(run.header.client.name, NAME_LIMIT)}),
        run_id=run.header.run_id,
        started_at=run.header.started_at,
        ended_at=run.ended_at,
        data_as_of=run.data_as_of,
        partial=[cut(reason, TEXT_LIMIT) for reason in _why_partial(desk)],
        outcome=status.outcome_of(counting.count_run(run.hosts)),
        verdict=cut(run.verdict, TEXT_LIMIT),
        grade=run.grade.letter if run.grade else None,
        grade_uncertain=bool(run.grade and run.grade.uncertain),
        counts=counting.count_run(run.hosts),
        unreached=len(silent),
        unreached_named=[cut(name, NAME_LIMIT) for name in silent[:HOSTS_NAMED]],
        urgent=sum(problem.state in _URGENT for problem in run.problems),
        problems=[_problem(desk, problem) for problem in problems[:PROBLEMS_SHOWN]],
        more_problems=max(0, len(problems) - PROBLEMS_SHOWN),
        delta=_delta(desk),
        changes=acted.outcomes(run.changes),
        backups=(
            NoticeBackups(total=len(run.backups), proven=sum(entry.proven for entry in run.backups))
            if run.backups
            else None
        ),
        altered_evidence=bool(run.altered_evidence),
    )


def _why_partial(desk: Desk) -> Sequence[str]:
    run = desk.run
    return [*run.header.partial, *([f"the run is {run.status}"] if run.status != "complete" else [])]


def _problems(desk: Desk) -> list[Problem]:
    """What needs a person, then what else is open on hosts that answered."""
    run = desk.run
    urgent = [problem for problem in run.problems if problem.state in _URGENT]
    reached = [host for host in run.hosts if host.contact.reached]
    return urgent + [entry for entry in counting.problems(reached, run.checks) if entry.state not in _URGENT]


def _problem(desk: Desk, problem: Problem) -> NoticeProblem:
    deadline = desk.deadline(problem.deadline)
    return NoticeProblem(
        state=problem.state,
        check=problem.check,
        title=cut(problem.title, NAME_LIMIT),
        hosts=len(problem.hosts),
        named=[cut(name, NAME_LIMIT) for name in problem.hosts[:HOSTS_NAMED]],
        observed=cut(problem.observed, TEXT_LIMIT),
        expected=cut(problem.expected, TEXT_LIMIT),
        advice=cut(problem.advice, TEXT_LIMIT),
        since=problem.since,
        deadline=problem.deadline,
        overdue=bool(deadline and deadline.overdue),
    )


def _delta(desk: Desk) -> NoticeDelta | None:
    delta = desk.run.delta
    if delta is None or delta.previous_run_id is None:
        return None
    return NoticeDelta(
        previous_run_id=delta.previous_run_id,
        new=len(delta.new),
        worse=len(delta.worse),
        better=len(delta.better),
        resolved=len(delta.resolved),
        still_open=delta.still_open,
    )


def cut(text: str, limit: int) -> str:
    """Return a text of at most ``limit`` characters; one that was longer ends with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
