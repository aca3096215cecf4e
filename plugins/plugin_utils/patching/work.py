# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what the actions of patching have in common: the run, the settings, the change so far.

The change record on disk is what one step hands to the next: a step that dies leaves behind how far it got.
Runs on the control node.
"""

from __future__ import annotations

import time
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.keepwell.fleet.plugins.plugin_utils import settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import BAD, ChangeRecord, Outcome, Step
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import (
    keepwell_variables,
    named,
    plain,
    state_dir,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store, current_run
from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_action import HostAction, HostError, cause, one_line
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import HostEvidence, iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import Plan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.processes import this_process

CHORE: t.Final = "patching"
# A plan in evidence is read back by the steps after it.
ENDED: tuple[Outcome, ...] = ("planned", "nothing", "skipped", "refused", "released", *BAD)


@dataclass
class Job:
    """One host in one run, and what it was told."""

    host: str
    store: Store
    run_id: str
    settings: settings.Settings
    options: options.Options
    simulated_now: float | None
    task_vars: Mapping[str, t.Any]

    def now(self) -> float:
        """The time to judge by."""
        return time.time() if self.simulated_now is None else self.simulated_now

    def evidence(self) -> HostEvidence | None:
        """What this run saw of the host; None when it was not reached."""
        found = self.store.read_host(self.run_id, self.host)
        return found if found is not None and found.observation is not None else None

    def plan(self) -> Plan | None:
        """The plan that this run made for the host."""
        return self.store.read_plan(Plan, self.run_id, self.host)

    def change(self) -> ChangeRecord:
        """The host's change so far."""
        known = self.store.read_change(self.run_id, self.host, CHORE)
        return known or ChangeRecord(
            run_id=self.run_id,
            client=self.store.client_id,
            host=self.host,
            chore=CHORE,
            outcome="planned",
            started_at=iso(self.now()),
            approver=self.options.approver,
            ticket=self.options.ticket,
        )

    def save(self, record: ChangeRecord) -> None:
        """Write the change down as it is now."""
        if record.outcome != "running":
            record.ended_at = iso(self.now())
        self.store.write_change(record)

    def step(self, record: ChangeRecord, name: str, outcome: str, text: str, since: float) -> None:
        """Add a step to the change."""
        record.steps.append(
            Step(name=name, outcome=t.cast(t.Any, outcome), text=text, started_at=iso(since), ended_at=iso(self.now()))
        )


def role_variables(templar: t.Any, task_vars: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the role's public variables, templated, as plain values; what tasks registered is left out."""
    names = [str(name) for name in task_vars if str(name).startswith("patching_")]
    return {
        name: named(name, lambda name: templar.template(task_vars[name]))
        for name in names
        if name not in options.REGISTERED
    }


class PatchAction(HostAction):
    """A step of patching one host. Subclasses implement ``work``."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Do the step; expected failures become one clear sentence."""
        super().run(tmp, task_vars)
        variables = task_vars or {}
        self.validate_argument_spec({})
        try:
            job = self._job(variables)
            # A worker lives on when ansible-playbook is killed: with this its run stays open until the worker ends.
            with job.store.observing(job.run_id):
                return self.work(job)
        except AnsibleConnectionFailure as exc:
            return {"changed": False, "unreachable": True, "msg": one_line(f"not reachable: {cause(str(exc))}")}
        except (settings.SettingsError, EvidenceError, HostError) as exc:
            return {"changed": False, "failed": True, "msg": str(exc)}

    def work(self, job: Job) -> dict[str, t.Any]:
        """Return the task's result. May raise SettingsError, EvidenceError, HostError, AnsibleConnectionFailure."""
        raise NotImplementedError

    def _job(self, task_vars: dict[str, t.Any]) -> Job:
        told = keepwell_variables(self._templar, task_vars)
        sources = [str(source) for source in plain(task_vars.get("ansible_inventory_sources") or [])]
        now, simulated = settings.now(told, time.time())
        found = current_run(state_dir(told, task_vars), this_process())
        if found is None:
            raise EvidenceError(
                "No run has begun. Call keepwell.fleet.run_begin first, or use playbooks/patch.yml, which does."
            )
        store, run_id = found
        return Job(
            host=str(task_vars["inventory_hostname"]),
            store=store,
            run_id=run_id,
            settings=settings.read(told, sources, now),
            options=options.read(role_variables(self._templar, task_vars)),
            simulated_now=now if simulated else None,
            task_vars=task_vars,
        )
