# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Close the change record of a verifying host: what was tested, what was left, and why."""

from __future__ import annotations

import contextlib
import typing as t
from collections import Counter

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import testing
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.plans import TestPlan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.work import Job, VerifyAction
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import count_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import guards
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.guards import Stop
from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_action import HostError

# The account of a test stays on the host for so long, for people who look there.
_KEEP_DAYS = 30


class ActionModule(VerifyAction):
    """keepwell.fleet.backup_record"""

    def work(self, job: Job) -> dict[str, t.Any]:
        """Return the host's outcome."""
        entries = job.entries()
        tested = job.store.has_proofs(job.run_id, job.host)
        if not entries or not self.acts(job):
            return {"changed": False, "tested": tested, "msg": "this host verifies nothing in this run"}
        record, plan = job.change(), job.plan()
        if record.outcome == "running":
            testing.note_end(record)
        if record.outcome == "planned":
            record.outcome, record.code, record.text = _untested(job, plan)
        elif record.outcome == "done":
            record.text = _told(record)
        if record.transaction and record.outcome != "lost":
            with contextlib.suppress(AnsibleConnectionFailure, HostError):
                self.ask({"operation": "clean", "keep_days": _KEEP_DAYS}, job.task_vars)
        job.save(record)
        return {
            "changed": False,
            "tested": tested,
            "outcome": record.outcome,
            "msg": f"{record.outcome}: {record.text}",
        }


def _untested(job: Job, plan: TestPlan | None) -> Stop:
    """Return why no test was done."""
    away = guards.reached(job) if plan is None else None
    if away is not None:
        return away
    if plan is None:
        text = "The backups could not be looked at; the messages of 'Look' say why. Nothing was tested."
        return Stop("refused", "no_plan", text)
    if not plan.tests:
        return Stop("nothing", "", "Nothing is due.")
    stop = guards.allowed(job) or testing.closed(job)
    if stop is not None:
        return stop
    return Stop("skipped", "postponed", f"{plan.tests[0].name} {plan.tests[0].test.kind}: {plan.tests[0].test.reason}")


def _told(record: ChangeRecord) -> str:
    """Return what the tests came to, in numbers."""
    ends = Counter(step.text.partition(":")[0] for step in record.steps if step.outcome == "done")
    ends.pop("removed what an earlier run left", None)
    left = sum(step.outcome == "skipped" for step in record.steps)
    parts = [f"{number} {end}" for end, number in sorted(ends.items())]
    more = f" {count_text(left, 'test was', 'tests were')} not done." if left else ""
    return f"{count_text(sum(ends.values()), 'test')} done: {', '.join(parts)}.{more}"
