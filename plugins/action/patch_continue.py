# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Go on with a Windows host: install what had to wait for a reboot, and what is offered only now."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import following
from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_action import HostError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import guards, transaction, wanting
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import Item
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.work import Job, PatchAction
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.wua import installing, planning

_SEARCH_S = 600
_LOOKED = "look_again"


class ActionModule(PatchAction):
    """keepwell.fleet.patch_continue"""

    def work(self, job: Job) -> dict[str, t.Any]:
        """Return how the change stands after this round."""
        record = job.change()
        if self._task.check_mode or record.outcome != "running" or record.begun_by or _finished(record):
            return {"changed": False, "outcome": record.outcome, "msg": "nothing to go on with"}
        stop = guards.further(job, "turn")
        if stop is not None:
            record.stopped, record.code = stop.text, stop.code
            text = f"what is left waits for the next run: {stop.text}"
            job.step(record, "apply", "skipped", text, job.now())
            job.save(record)
            return {"changed": False, "outcome": record.outcome, "msg": text}
        known = len(record.versions)
        try:
            items = self._left(job, record)
            if items:
                if record.transaction:
                    # Its end is in this record already.
                    self.ask({"operation": "recorded", "id": record.transaction}, job.task_vars)
                plan = job.plan()
                installing.carry_out(self, job, record, items, guards.reserve_bytes(job, plan) if plan else 0)
        except AnsibleConnectionFailure as exc:
            following.lose(job, record, exc, "apply")
            job.save(record)
            raise
        except HostError as exc:
            # What came before is in place: the comparison decides what the host is worth.
            job.step(record, "apply", "failed", str(exc), job.now())
            job.save(record)
            return {"changed": False, "outcome": record.outcome, "msg": str(exc)}
        if not items:
            job.step(record, _LOOKED, "done", "nothing more can be installed", job.now())
        job.save(record)
        failed = record.outcome != "running"
        text = record.steps[-1].text
        return {
            "changed": len(record.versions) > known,
            "outcome": record.outcome,
            "msg": text,
            **({"failed": True} if failed else {}),
        }

    def _left(self, job: Job, record: ChangeRecord) -> list[Item]:
        """Return what is still to be installed: of the approved plan, or what the policy wants of the host by now."""
        approved = job.options.approved_run
        if not approved:
            # After the boot other updates may apply: the host asks its source.
            request = {"operation": "refresh", "timeout_s": _SEARCH_S}
            self.ask_until(request, job.task_vars, job.options.reconnect_s)
        document = self.patiently(lambda: self.observe(["packages"], {}, job.task_vars), job.options.reconnect_s)
        if planning.due_first(transaction.packages(document)):
            return []
        items = wanting.of(job, document).items
        if approved:
            plan = job.plan()
            announced = {(item.update_id, item.version) for item in plan.items} if plan else set()
            items = [item for item in items if (item.update_id, item.version) in announced]
        tried = {(version.update_id, version.after) for version in record.versions}
        return [
            item for item in items if (item.update_id, item.version) not in tried and item.name not in record.failures
        ]


def _finished(record: ChangeRecord) -> bool:
    """True when the host had nothing more to install, and nothing was done since."""
    for step in reversed(record.steps):
        if step.name == _LOOKED:
            return True
        if step.outcome == "done" and step.name in ("apply", "reboot"):
            return False
    return False
