# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Do the tests of a batch that are due on a verifying host: read, restore, compare, and keep the proofs."""

from __future__ import annotations

import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import testing
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.work import Job, VerifyAction


class ActionModule(VerifyAction):
    """keepwell.fleet.backup_verify"""

    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {"datasets": {"type": "list", "elements": "str", "required": True}}

    def work(self, job: Job) -> dict[str, t.Any]:
        """Return what the tests came to; their proofs are in the evidence of the datasets."""
        plan = job.plan()
        wanted = set(job.arguments["datasets"])
        mine = [planned for planned in plan.chosen() if planned.name in wanted] if plan is not None else []
        if not self.acts(job):
            names = ", ".join(f"{planned.name} {planned.test.kind}" for planned in mine)
            return {"changed": False, "skipped": True, "msg": f"not done without backup_verification_act: {names}"}
        if not mine:
            return {"changed": False, "msg": "nothing is due"}
        record = job.change()
        if record.outcome == "lost":
            return {"changed": False, "failed": True, "outcome": "lost", "msg": record.text}
        entries = {f"{entry.host}/{entry.dataset.id}": entry for entry in job.entries()}
        steps = len(record.steps)
        done = [
            f"{planned.name} {planned.test.kind}"
            for planned in mine
            if testing.carry_out(self, job, record, entries[planned.name], planned)
        ]
        return {
            # Nothing stays changed on a host: what was restored is gone again.
            "changed": False,
            "tested": done,
            "outcome": record.outcome,
            "msg": "; ".join(f"{step.name}: {step.text}" for step in record.steps[steps:]) or "nothing is due",
        }
