# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan the updates of a host: choose by the policy, let the host simulate, look at what stands against it."""

from __future__ import annotations

import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import (
    gates,
    guards,
    planning,
    preflight,
    wanting,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import Plan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.work import Job, PatchAction
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.wua import choosing
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.wua import planning as wua


class ActionModule(PatchAction):
    """keepwell.fleet.patch_plan"""

    def work(self, job: Job) -> dict[str, t.Any]:
        """Return the plan in short; the whole of it is in the run's folder."""
        plan = self._plan(job)
        job.store.write_plan(plan)
        record = job.change()
        record.plan_hash, record.ring, record.lane = plan.plan_hash, plan.ring, plan.lane
        if record.outcome in ("planned", "nothing"):
            record.outcome = "nothing" if plan.empty else "planned"
            record.text = _nothing(plan) if plan.empty else _headline(plan)
        job.save(record)
        return {
            "changed": bool(self._task.check_mode and not plan.empty),
            "plan_hash": plan.plan_hash,
            "packages": [f"{item.name} {item.version}" for item in plan.items],
            "msg": _headline(plan),
        }

    def _plan(self, job: Job) -> Plan:
        evidence = job.evidence()
        if evidence is None or evidence.observation is None:
            raise EvidenceError(f"{job.host} was not observed in this run, so there is nothing to plan from.")
        wanted = wanting.of(job, evidence.observation)
        view, items = wanted.view, wanted.items
        manager = str(view.data("packages")["manager"])
        asked = [item.model_dump(include={"name", "kind", "arch", "version"}) for item in items]
        look = self.ask({"operation": "look", "manager": manager, "items": asked}, job.task_vars)
        reboot_left = ""
        if manager == choosing.MANAGER:
            reboot_left = wua.reboot_left(gates.newest(guards.records(job), job.host))
            look["simulation"] = wua.simulation(items, view.data("packages")["pending"] or [])
        facts = preflight.judge(look, view, wanted.policy, job.options, evidence.result.results)
        return planning.build(
            view=view,
            client=job.store.client_id,
            run_id=job.run_id,
            items=items,
            withheld=wanted.withheld,
            look=look,
            preflight=facts,
            doubts=wanted.doubts,
            options=job.options,
            ring=wanted.schedule.ring_of(job.host),
            ring_reason=wanted.schedule.reason(job.host),
            reboot_left=reboot_left,
        )


def _nothing(plan: Plan) -> str:
    """Return why there is nothing to do."""
    if not plan.items:
        return planning.idle(plan)
    return f"The package manager would carry out none of the {len(plan.items)} wanted (see the plan)."


def _headline(plan: Plan) -> str:
    """Return the plan in one line."""
    if plan.reboot.left:
        return f"a reboot: {plan.reboot.text}"
    if plan.empty:
        return f"nothing to do; {len(plan.withheld)} withheld" if plan.withheld else "nothing to do"
    security = sum(item.update_class == "security" for item in plan.items)
    against = [fact.name for fact in plan.preflight if not fact.passed]
    what = "updates" if plan.manager == choosing.MANAGER else "packages"
    return f"{len(plan.transaction)} {what}, {security} security updates; reboot: {plan.reboot.expected}" + (
        f"; not ready: {', '.join(against)}" if against else ""
    )
