# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carry out the plan of a host: pass the guards, note how the host is, start the transaction and follow it."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import BAD, ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import following
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.guards import Stop, enter
from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_action import HostError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.identifiers import new_run_id
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import baseline, guards, transaction
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import Plan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.work import Job, PatchAction
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.wua import installing
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.wua import planning as wua
from ansible_collections.keepwell.fleet.plugins.plugin_utils.payload import work_program


class ActionModule(PatchAction):
    """keepwell.fleet.patch_apply"""

    def work(self, job: Job) -> dict[str, t.Any]:
        """Return whether the host was touched, and how its change stands."""
        record = job.change()
        if self._task.check_mode:
            return _result(record, "check mode: nothing is changed")
        if record.outcome in BAD:
            return _result(record, record.text, failed=True)
        adopted = record.outcome == "running"
        plan = job.plan()
        if plan is not None:
            record.plan_hash, record.ring, record.lane = plan.plan_hash, plan.ring, plan.lane
        if adopted:
            # One transaction a record: what an earlier run began is verified first, the next run does the rest.
            job.step(record, "apply", "skipped", "what an earlier run began is verified first", job.now())
            job.save(record)
            return _result(record, "verifying what an earlier run began", touched=True)
        stop = guards.first(job, plan)
        if plan is None or stop is not None:
            return self._stay(job, record, stop or Stop("nothing", "", "nothing to do"))
        kind = guards.kind(plan)
        enter(job, record, guards.window(job, kind), guards.expected(job, kind))
        try:
            baseline.take(self, job)
            return self._carry_out(job, record, plan)
        except AnsibleConnectionFailure as exc:
            following.lose(job, record, exc, "apply")
            job.save(record)
            raise
        except HostError as exc:
            if record.outcome == "running":
                following.leave(job, record, exc, "apply")
                job.save(record)
            raise

    @staticmethod
    def _stay(job: Job, record: ChangeRecord, stop: Stop) -> dict[str, t.Any]:
        """Begin nothing: there is nothing to do, or a guard stands against it."""
        outcome, code, text = stop
        record.outcome, record.code, record.text = outcome, code, text
        job.save(record)
        return _result(record, text, failed=outcome == "refused")

    def _carry_out(self, job: Job, record: ChangeRecord, plan: Plan) -> dict[str, t.Any]:
        options = job.options
        record.rollback = plan.rollback.text
        if self.on_windows():
            return self._install(job, record, plan)
        record.outcome, record.transaction = "running", new_run_id(job.now())
        # Before the host is asked: what is begun must be known, whatever happens then.
        job.save(record)
        request = {
            "operation": "start",
            "id": record.transaction,
            "run_id": job.run_id,
            "client": job.store.client_id,
            "host": job.host,
            "plan_hash": plan.plan_hash,
            "manager": plan.manager,
            "items": [item.model_dump(include={"name", "kind", "arch", "version"}) for item in plan.items],
            # As the host itself tells of them: the id is of Windows.
            "moves": [move.model_dump(exclude={"update_id"}) for move in plan.transaction],
            "limits": {
                "runtime_s": options.limits.runtime_minutes * 60,
                "lock_timeout_s": options.limits.lock_timeout_s,
                "nice": options.limits.nice,
            },
            "keep_days": options.keep_days,
            "reserve_bytes": guards.reserve_bytes(job, plan),
            "program": work_program(self.CHORE),
        }
        started = self.ask_until(request, job.task_vars, options.reconnect_s)
        if not started.get("started") and not started.get("attached"):
            record.outcome, record.code = "refused", str(started.get("code") or "not_started")
            record.text, record.transaction = str(started.get("text") or "the host did not start it"), ""
        else:
            state = transaction.follow(self, job, record.transaction)
            transaction.absorb(job, record, state, "apply")
        job.save(record)
        changed = [f"{entry.name} {entry.before or 'new'} -> {entry.after or 'removed'}" for entry in record.versions]
        failed = record.outcome != "running"
        text = record.text if failed else ", ".join(changed[:5]) or "no package changed"
        return {**_result(record, text, touched=bool(record.transaction), failed=failed), "changed": bool(changed)}

    def _install(self, job: Job, record: ChangeRecord, plan: Plan) -> dict[str, t.Any]:
        """Let Windows install what can be installed before a reboot; ``patch_continue`` does the rest."""
        first = wua.due_first(job.packages())
        if first:
            record.outcome = "running"
            text = f"nothing is installed before the reboot that is due: {'; '.join(first[:3])}"
            job.step(record, "apply", "skipped", text, job.now())
        else:
            installing.carry_out(self, job, record, plan.items, guards.reserve_bytes(job, plan))
        job.save(record)
        kept_back = record.outcome == "skipped"
        failed = record.outcome != "running" and not kept_back
        text = record.text if failed else record.steps[-1].text
        touched = not kept_back and bool(record.transaction or first)
        # Windows offers more once the first updates are in place.
        more = record.outcome == "running" and job.options.rounds > 1
        return {**_result(record, text, touched=touched, failed=failed), "changed": bool(record.versions), "more": more}


def _result(record: ChangeRecord, text: str, touched: bool = False, failed: bool = False) -> dict[str, t.Any]:
    return {
        "changed": False,
        "touched": touched,
        "outcome": record.outcome,
        "msg": text,
        **({"failed": True} if failed else {}),
    }
