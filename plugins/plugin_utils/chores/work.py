# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to keepwell.fleet: what the steps of all chores have in common: the run, the settings, the change so far.

The change record on disk is what one step hands to the next: a step that dies leaves behind how far it got.
Runs on the control node.
"""

from __future__ import annotations

import time
import typing as t
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.keepwell.fleet.plugins.plugin_utils import settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord, Chore, Step
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import options, waiting
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import (
    keepwell_variables,
    named,
    plain,
    state_dir,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store, current_run
from ansible_collections.keepwell.fleet.plugins.plugin_utils.history import History
from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_action import HostAction, HostError, one_line
from ansible_collections.keepwell.fleet.plugins.plugin_utils.lease import Leases
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import HostEvidence, iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.plan import NOT_COVERED
from ansible_collections.keepwell.fleet.plugins.plugin_utils.processes import this_process

OptionsT = t.TypeVar("OptionsT", bound=options.Options)


@dataclass
class Job(t.Generic[OptionsT]):
    """One host in one run of a chore, and what it was told."""

    chore: Chore
    host: str
    store: Store
    run_id: str
    settings: settings.Settings
    options: OptionsT
    simulated_now: float | None
    task_vars: Mapping[str, t.Any]
    # Of the task, checked against ARGUMENTS.
    arguments: Mapping[str, t.Any]

    def now(self) -> float:
        """The time to judge by."""
        return time.time() if self.simulated_now is None else self.simulated_now

    def evidence(self) -> HostEvidence | None:
        """What this run saw of the host; None when it was not reached."""
        found = self.store.read_host(self.run_id, self.host)
        return found if found is not None and found.observation is not None else None

    def change(self) -> ChangeRecord:
        """The host's change so far."""
        known = self.store.read_change(self.run_id, self.host, self.chore)
        return known or ChangeRecord(
            run_id=self.run_id,
            client=self.store.client_id,
            host=self.host,
            chore=self.chore,
            outcome="planned",
            started_at=iso(self.now()),
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


JobT = t.TypeVar("JobT", bound=Job[t.Any])


class ChoreAction(HostAction, t.Generic[JobT]):
    """A step of a chore on one host. Subclasses have CHORE, JOB, OPTIONS and REGISTERED, and implement ``work``."""

    JOB: t.ClassVar[type[Job[t.Any]]]
    OPTIONS: t.ClassVar[type[options.Options]]
    # Names that the role's tasks register; results, not settings.
    REGISTERED: t.ClassVar[Collection[str]] = ()
    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {}
    _at_work: Job[t.Any] | None = None

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Do the step; expected failures become one clear sentence."""
        super().run(tmp, task_vars)
        variables = task_vars or {}
        _validated, arguments = self.validate_argument_spec(self.ARGUMENTS)
        try:
            job = self._job(variables, plain(arguments))
            if not job.settings.covers(job.host):
                return {"changed": False, "skipped": True, "msg": NOT_COVERED}
            # A worker lives on when ansible-playbook is killed: with this its run stays open until the worker ends.
            with job.store.observing(job.run_id):
                self._at_work = job
                self.pulse()
                return self.work(job)
        except AnsibleConnectionFailure as exc:
            return {"changed": False, "unreachable": True, "msg": one_line(f"not reachable: {self.silence(exc)}")}
        except (settings.SettingsError, EvidenceError, HostError) as exc:
            return {"changed": False, "failed": True, "msg": str(exc)}

    def pulse(self) -> None:
        """Renew the lease of the run: it lives."""
        if self._at_work is not None:
            Leases(self._at_work.store).renew(self._at_work.run_id)

    def work(self, job: JobT) -> dict[str, t.Any]:
        """Return the task's result. May raise SettingsError, EvidenceError, HostError, AnsibleConnectionFailure."""
        raise NotImplementedError

    def _job(self, task_vars: dict[str, t.Any], arguments: dict[str, t.Any]) -> JobT:
        told = keepwell_variables(self._templar, task_vars)
        sources = [str(source) for source in plain(task_vars.get("ansible_inventory_sources") or [])]
        now, simulated = settings.now(told, time.time())
        groups = [str(group) for group in plain(task_vars.get("group_names") or [])]
        store, run_id = run_of(told, task_vars)
        own = {
            name: named(name, lambda name: self._templar.template(task_vars[name]))
            for name in own_variables(self.CHORE, task_vars, self.REGISTERED)
        }
        job = self.JOB(
            chore=t.cast(Chore, self.CHORE),
            host=str(task_vars["inventory_hostname"]),
            store=store,
            run_id=run_id,
            settings=settings.read(told, sources, now, groups),
            options=options.read(self.CHORE, self.OPTIONS, own),
            simulated_now=now if simulated else None,
            task_vars=task_vars,
            arguments=arguments,
        )
        return t.cast("JobT", job)


def run_of(told: Mapping[str, t.Any], task_vars: Mapping[str, t.Any]) -> tuple[Store, str]:
    """Return the evidence and the id of the run that this playbook began. Raises EvidenceError when it began none."""
    found = current_run(state_dir(told, task_vars), this_process())
    if found is None:
        raise EvidenceError(
            "No run has begun. Call keepwell.fleet.run_begin first, or use one of the playbooks, which do."
        )
    return found


def own_variables(chore: str, variables: Mapping[str, t.Any], registered: Collection[str] = ()) -> list[str]:
    """Return the names of a role's public variables; what its tasks registered is left out."""
    return [str(name) for name in variables if str(name).startswith(chore + "_") and str(name) not in registered]


def options_of_all(
    chore: str, model: type[OptionsT], task_vars: Mapping[str, t.Any], registered: Collection[str] = ()
) -> dict[str, OptionsT]:
    """Return the options of every host of the inventory; raise SettingsError with all mistakes at once."""
    by_problem: dict[str, list[str]] = {}
    chosen = {}
    for host in sorted(str(name) for name in task_vars["groups"]["all"]):
        variables = task_vars["hostvars"][host]
        mine = own_variables(chore, variables, registered)
        try:
            chosen[host] = options.read(chore, model, {name: named(name, variables.__getitem__) for name in mine})
        except settings.SettingsError as exc:
            for problem in exc.problems:
                by_problem.setdefault(problem, []).append(host)
    if by_problem:
        raise settings.SettingsError(
            [
                f"{problem} [{', '.join(hosts[:3])}{' and others' if hosts[3:] else ''}]"
                for problem, hosts in by_problem.items()
            ]
        )
    return chosen


def turns_of(store: Store, run_id: str, chore: str, task_vars: Mapping[str, t.Any]) -> list[list[str]]:
    """Return the hosts of a play in their turns: those that missed the chore when it was due, then the others."""
    queue = History(store).waiting(store.read_run(run_id).header.bought)
    missed = {entry.host for entry in queue if entry.chore == chore}
    return waiting.turns(sorted(str(host) for host in task_vars["ansible_play_hosts_all"]), missed)


def refuse_lost_words(task_vars: Mapping[str, t.Any]) -> None:
    """Raise SettingsError when Ansible cut a value of -e at its first space: an approver would lose his name."""
    rest = task_vars.get("_raw_params")
    if rest:
        raise settings.SettingsError(
            [f"-e: {str(rest)!r} belongs to no variable. Quote a value with spaces twice: -e 'name=\"two words\"'."]
        )
