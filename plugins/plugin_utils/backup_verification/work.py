# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what the actions of backup verification have in common. Runs on the control node."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import options, schedule
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.known import KnownDataset, together
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import Verification
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.plans import TestPlan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.work import ChoreAction
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.work import Job as ChoreJob
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import named
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError, host_file_name
from ansible_collections.keepwell.fleet.plugins.plugin_utils.history import History
from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_history import HostHistory

CHORE: t.Final = options.CHORE
# Runs that are looked through for what was written into a canary, when its host is away now.
_RUNS_BACK = 60


@dataclass
class Job(ChoreJob[options.Options]):
    """One verifying host in one run."""

    def change(self) -> ChangeRecord:
        """The host's change so far."""
        record = super().change()
        record.approver = record.approver or self.options.approver
        record.ticket = record.ticket or self.options.ticket
        return record

    def entries(self) -> list[options.Assigned]:
        """The datasets that this host verifies, with their secrets: read from the inventory, kept nowhere."""
        content = self.store.read_document(self.run_id, schedule.FILE)
        if content is None:
            raise EvidenceError("Nobody said who verifies what. Call keepwell.fleet.backup_schedule first.")
        places = schedule.Schedule.model_validate_json(content).verifiers.get(self.host, [])
        declared = {host: self._declared(host) for host in {place.host for place in places}}
        return [options.Assigned(place.host, declared[place.host][place.dataset]) for place in places]

    def _declared(self, host: str) -> dict[str, t.Any]:
        variables = self.task_vars["hostvars"][host]
        told = {name: named(name, variables.__getitem__) for name in options.DECLARED if name in variables}
        return {dataset.id: dataset for dataset in options.declared(told).datasets}

    def plan(self) -> TestPlan | None:
        """What this run plans to test on this host; None when it could not look."""
        return self.store.read_plan(TestPlan, self.run_id, self.host)

    def document(self, entry: options.Assigned) -> Verification:
        """What this run saw and proved of a dataset so far."""
        known = self.store.read_verification(self.run_id, entry.host, entry.dataset.id)
        return known or Verification(
            run_id=self.run_id,
            client=self.store.client_id,
            host=entry.host,
            dataset=entry.dataset.id,
            declared=entry.dataset.public(),
            repository_key=entry.dataset.repository_key,
            verifier=self.host,
        )

    def history(self, host: str) -> HostHistory:
        """What earlier runs saw of a host."""
        return History(self.store).of(host, self.now())

    def known(self, entry: options.Assigned) -> KnownDataset:
        """All that is known of a dataset, this run included."""
        earlier = self.history(entry.host).backups([entry.dataset])
        return together(entry.dataset, earlier.get(entry.dataset.id), self.document(entry))

    def canary_versions(self, entry: options.Assigned) -> list[dict[str, t.Any]]:
        """What was written into a dataset's canary and when, by the newest run that knows it."""
        for run_id in [self.run_id, *reversed(self.store.sealed_ids()[-_RUNS_BACK:])]:
            content = self.store.read_document(run_id, canaries_file(entry.host))
            found = json.loads(content).get(entry.dataset.id) if content else None
            if found and found.get("history"):
                return t.cast("list[dict[str, t.Any]]", found["history"])
        return []


def canaries_file(host: str) -> str:
    """Where a run keeps what it knows of a host's canaries."""
    return f"canaries/{host_file_name(host)}.json"


class VerifyAction(ChoreAction[Job]):
    """A step of verifying backups on one host. Subclasses implement ``work``."""

    CHORE = CHORE
    JOB = Job
    OPTIONS = options.Options
    REGISTERED = options.REGISTERED

    def acts(self, job: Job) -> bool:
        """True when this run may read and restore."""
        return job.options.act and not self._task.check_mode
