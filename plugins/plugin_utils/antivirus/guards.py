# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what has to be true before antivirus work does more than look, step by step.

Runs on the control node.
"""

from __future__ import annotations

import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus.models import Plan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus.planning import left_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus.work import CHORE, Job
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import duration, guards
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.guards import Stop
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows import decision as windows

# What became of files, by Keepwell or by an engine that it asked to scan.
_ACTED = ("quarantined", "cleaned", "removed", "blocked")


class Decision(t.NamedTuple):
    """Which steps are done; ``held`` are those that are not, with the reason; ``stop`` when none is left."""

    steps: list[str]
    held: dict[str, Stop]
    stop: Stop | None
    window: windows.Decision | None = None
    needed: duration.Expected | None = None


def decide(job: Job, plan: Plan | None) -> Decision:
    """Return what may be done of a plan now."""
    stop = guards.allowed(job)
    if stop is None and plan is None:
        stop = Stop("refused", "no_plan", "This run made no plan for the host; the messages of 'Plan' say why.")
    elif plan is not None and not plan.steps:
        why = f"Nothing for Keepwell to do here: {left_text(plan)}." if plan.left else "No step was asked for."
        stop = Stop("nothing", "", why)
    if stop is not None or plan is None:
        return Decision([], {}, stop)
    needed = guards.expected(job, CHORE, job.options.reserve_minutes)
    window = guards.window(job, CHORE, needed.seconds)
    steps: list[str] = []
    held: dict[str, Stop] = {}
    for step in plan.steps:
        needs_window = step.name in job.options.window_for
        if not step.ready:
            held[step.name] = Stop("refused", step.code, f"{step.text}.")
        elif needs_window and not window.open:
            held[step.name] = Stop("skipped", "window_closed", window.reason)
        elif step.name == "rescan" and not {"scan", "quarantine"} & set(steps):
            held[step.name] = Stop("skipped", "window_closed", "Nothing is scanned or moved now.")
        else:
            steps.append(step.name)
    if steps:
        if window.open and set(steps) & set(job.options.window_for):
            return Decision(steps, held, None, window, needed)
        return Decision(steps, held, None)
    worst = next((stop for stop in held.values() if stop.outcome == "refused"), next(iter(held.values())))
    return Decision([], held, worst)


def has_changed(record: ChangeRecord) -> bool:
    """True when something on the host is other than before."""
    found = record.antivirus
    if found is None:
        return False
    return bool(
        any(entry.result == "updated" for entry in found.definitions)
        or any(entry.outcome in _ACTED for entry in found.detections)
        or any(text.startswith("started") for text in found.repaired.values())
        or found.restored
    )
