# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wait for a transaction that an earlier run began on the host, and take it into this run's change record."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import following
from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_action import HostError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import transaction
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.work import Job, PatchAction


class ActionModule(PatchAction):
    """keepwell.fleet.patch_adopt"""

    def work(self, job: Job) -> dict[str, t.Any]:
        """Return the id of the transaction that was taken over; empty when there was none."""
        left = self.ask({"operation": "unfinished"}, job.task_vars)["transactions"]
        if not left:
            return {"changed": False, "adopted": "", "msg": "nothing was left by an earlier run"}
        record = job.change()
        if record.outcome not in ("planned", "nothing"):
            return {"changed": False, "adopted": "", "msg": "this run has looked before"}
        for found in sorted(left, key=lambda entry: float(entry.get("started_at") or 0.0)):
            if record.transaction:
                # Its end is in this record already.
                self.ask({"operation": "recorded", "id": record.transaction}, job.task_vars)
            record.outcome, record.transaction = "running", str(found["id"])
            record.code = record.text = ""
            record.begun_by = str(found.get("run_id") or "")
            record.plan_hash = str(found.get("plan_hash") or "")
            job.save(record)
            try:
                state = transaction.follow(self, job, record.transaction)
            except AnsibleConnectionFailure as exc:
                following.lose(job, record, exc, "adopt")
                job.save(record)
                raise
            except HostError as exc:
                following.leave(job, record, exc, "adopt")
                job.save(record)
                raise
            transaction.absorb(job, record, state, "adopt")
            if state.get("outcome") == "refused":
                # Refused without a trace: it says nothing of the host as it is now.
                record.outcome, record.code, record.text, record.stopped = "running", "", "", ""
                self.ask({"operation": "recorded", "id": record.transaction}, job.task_vars)
            elif found.get("kind") == "rollback" and record.outcome == "running":
                record.outcome, record.code, record.rollback = "rolled_back", "post_check", record.steps[-1].text
                record.text = (
                    f"Run {record.begun_by} found the host worse than before its change, began to take it back, and "
                    f"did not see the end of it: {record.rollback}"
                )
            job.save(record)
        if record.outcome == "running" and not record.versions:
            record.outcome, record.transaction = "planned", ""
            job.save(record)
        return {
            "changed": False,
            "adopted": record.transaction,
            "msg": f"took up {record.transaction or 'nothing'}, begun by run {record.begun_by}: "
            f"{record.text or 'ended well'}",
        }
