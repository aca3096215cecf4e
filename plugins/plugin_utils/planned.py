# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what chores besides patching would do, as run.json tells it: in short.

Pure; runs on the control node.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus.models import Plan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.plans import TestPlan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import count_text, size_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup.models import Cleanup
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import PlannedWork

STEPS_SHOWN = 12


def work(antivirus: Iterable[Plan], tests: Iterable[TestPlan], changes: Iterable[ChangeRecord]) -> list[PlannedWork]:
    """Return what these chores would do, by host and chore; a host on which one has nothing to do is left out.

    Disk cleanup keeps its plan in the change record: there it is what was predicted.
    """
    found = [_antivirus(plan) for plan in antivirus if plan.steps]
    found += [_tests(plan) for plan in tests if plan.chosen()]
    found += [_cleanup(record.host, record.cleanup) for record in changes if record.cleanup and _goes(record.cleanup)]
    return sorted(found, key=lambda entry: (entry.host, entry.chore))


def _antivirus(plan: Plan) -> PlannedWork:
    steps = [step for step in plan.steps if step.name != "rescan"]
    against = [f"{step.name}: {step.text}" for step in steps if not step.ready]
    return PlannedWork(
        host=plan.host,
        chore="antivirus",
        text=", ".join(step.name for step in steps if step.ready),
        ready=not against,
        notes=[*against, *plan.warnings],
        **_first([f"{step.name}: {step.text}" for step in steps if step.ready]),
    )


def _tests(plan: TestPlan) -> PlannedWork:
    chosen = plan.chosen()
    against = [f"{entry.name}: {entry.told.refused}" for entry in chosen if entry.told and entry.told.refused]
    return PlannedWork(
        host=plan.host,
        chore="backup_verification",
        text=count_text(len(chosen), "test"),
        ready=not against,
        notes=against,
        **_first([f"{entry.name}, {entry.test.kind}: {entry.test.reason}" for entry in chosen]),
    )


def _goes(part: Cleanup) -> bool:
    """True when something would be freed or made larger."""
    freed = any(rule.predicted and (rule.predicted.files or rule.predicted.folders) for rule in part.rules)
    return freed or any(growth.outcome == "planned" for growth in part.growth)


def _cleanup(host: str, part: Cleanup) -> PlannedWork:
    rules = [
        f"{rule.id}: {count_text(rule.predicted.files, 'file')}, {size_text(rule.predicted.bytes)}"
        for rule in part.rules
        if rule.predicted and (rule.predicted.files or rule.predicted.folders)
    ]
    grown = [f"make {entry.mount} larger: {entry.text}" for entry in part.growth if entry.outcome == "planned"]
    against = [
        f"{entry.mount} stays as large as it is: {entry.text}" for entry in part.growth if entry.outcome == "refused"
    ]
    return PlannedWork(
        host=host,
        chore="disk_cleanup",
        text="; ".join(f"{entry.mount}: {size_text(entry.predicted_bytes)}" for entry in part.filesystems),
        ready=not against,
        notes=[*against, *(f"{entry.mount}: {entry.forecast}" for entry in part.filesystems if entry.forecast)],
        **_first([*rules, *grown]),
    )


def _first(steps: Sequence[str]) -> dict[str, list[str] | int]:
    return {"steps": list(steps[:STEPS_SHOWN]), "more": max(0, len(steps) - STEPS_SHOWN)}
