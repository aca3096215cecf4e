# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: everything that has to be true before a host is changed, asked in one order.

Beside what holds for every chore (see ``chores/guards.py``): the approved plan, the rings, the preflight.
Runs on the control node.
"""

from __future__ import annotations

import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import duration, guards
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.guards import Stop
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.history import History
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.decision import Decision
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import gates, planning, preflight, rings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import Move, Plan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.work import CHORE, Job

SCHEDULE = "patching/schedule.json"


def first(job: Job, plan: Plan | None) -> Stop | None:
    """Return the first reason against carrying out the plan, or None."""
    if plan is None:
        away = guards.bought(job) or guards.reached(job)
        return away or Stop("refused", "no_plan", "This run made no plan for the host; the messages of 'Plan' say why.")
    if plan.empty and plan.ready:
        return Stop("nothing", "", planning.idle(plan))
    return (
        guards.allowed(job)
        # A reboot that an earlier change had to leave was approved with it.
        or (_approved(job, plan) if plan.transaction else None)
        or guards.closed(job, kind(plan), expected(job, kind(plan)).seconds)
        or _gate(job)
        or _ready(plan)
        or (Stop("nothing", "", planning.idle(plan)) if plan.empty else None)
    )


def _approved(job: Job, plan: Plan) -> Stop | None:
    """The plan must be the approved one, where one was approved."""
    run_id = job.options.approved_run
    if not run_id:
        return None
    approved = job.store.read_plan(Plan, run_id, job.host)
    if approved is None:
        return Stop("refused", "not_approved", f"Run {run_id} announced no plan for this host; announce it first.")
    if approved.plan_hash == plan.plan_hash:
        return None
    return Stop(
        "refused",
        "plan_changed",
        f"The plan is no longer the one that run {run_id} announced: "
        f"{differences(approved.transaction, plan.transaction)}. Announce it again and have it approved.",
    )


def differences(approved: t.Sequence[Move], now: t.Sequence[Move]) -> str:
    """Return in words how two transactions differ."""
    before = {(move.name, move.arch): move for move in approved}
    after = {(move.name, move.arch): move for move in now}
    lines = []
    for key in sorted({*before, *after}):
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if old is None and new is not None:
            lines.append(f"{new.action} {new.name} {new.after or ''}".strip() + " came in addition")
        elif new is None and old is not None:
            lines.append(f"{old.action} {old.name} {old.after or ''}".strip() + " is gone")
        elif old is not None and new is not None:
            lines.append(f"{old.name} would become {new.after} instead of {old.after}")
    return "; ".join(lines[:5]) + (f"; and {len(lines) - 5} more" if len(lines) > 5 else "")


def kind(plan: Plan) -> t.Literal["patch", "reboot"]:
    """Return what a window has to allow for a plan to be begun: ``reboot`` where it is that alone."""
    return "reboot" if plan.reboot.left and not plan.transaction else "patch"


def window(job: Job, what: t.Literal["patch", "reboot"] = "patch", reserve: bool = True) -> Decision:
    """Return whether a window is open; with ``reserve``, for as long as the host is expected to need."""
    return guards.window(job, what, expected(job, what).seconds if reserve else 0.0)


def expected(job: Job, what: t.Literal["patch", "turn", "reboot"] = "patch") -> duration.Expected:
    """Return how long a host takes from here to the end of its comparison."""
    if what == "turn":
        # Where nobody knows it takes no longer than the whole.
        return guards.expected(job, what, expected(job).seconds / 60.0)
    return guards.expected(job, what, job.options.reserve_minutes)


def further(job: Job, what: t.Literal["turn", "reboot"], reserve: bool = True) -> Stop | None:
    """Return why a change that was begun goes no further, asked before each of its steps that cannot be taken back.

    Without ``reserve`` the window need only be open: for a first step, whose time was asked for right before.
    """
    allowing = "reboot" if what == "reboot" else "patch"
    try:
        return guards.paused(job) or guards.closed(job, allowing, expected(job, what).seconds if reserve else 0.0)
    except EvidenceError as exc:
        # What was done so far still has to be compared and recorded.
        return Stop("refused", "internal", str(exc))


def records(job: Job) -> list[ChangeRecord]:
    """All changes of the client by this chore and the releases, those of this run included, oldest first."""
    history = History(job.store)
    known = [*history.changes(CHORE), *history.changes("release")]
    known += [record for record in job.store.read_changes(job.run_id) if record.chore in (CHORE, "release")]
    return sorted(known, key=lambda record: (record.started_at, record.run_id))


def schedule(job: Job) -> rings.Schedule:
    """Return which host is in which ring, as this run wrote it down."""
    content = job.store.read_document(job.run_id, SCHEDULE)
    if content is None:
        raise EvidenceError("The hosts were not scheduled. Call keepwell.fleet.patch_schedule first; the role does.")
    return rings.Schedule.model_validate_json(content)


def _gate(job: Job) -> Stop | None:
    known = gates.Round(
        run_id=job.run_id,
        population=job.store.read_run(job.run_id).header.population,
        plans={entry.host: entry for entry in job.store.read_plans(Plan, job.run_id)},
        records=records(job),
    )
    decision = gates.gate(job.host, schedule(job), known, job.options, job.now())
    return None if decision.go else Stop("skipped", decision.code, decision.text)


def _ready(plan: Plan) -> Stop | None:
    wrong = [fact for fact in plan.preflight if not fact.passed]
    if not wrong:
        return None
    text = "; ".join(
        f"{fact.name}: {fact.observed}" + (f" (wanted: {fact.expected})" if fact.expected else "") for fact in wrong
    )
    advice = next((fact.advice for fact in wrong if fact.advice), "")
    return Stop("refused", wrong[0].code or "preflight", f"{text}. {advice}".strip())


def reserve_bytes(job: Job, plan: Plan) -> int:
    """Bytes that have to be free for the transaction, looked at again on the host right before it."""
    return preflight.needed_bytes(plan.download_bytes, plan.installed_bytes)
