# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what the actions of patching have in common. Runs on the control node."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import BAD, ChangeRecord, Outcome
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.work import ChoreAction
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.work import Job as ChoreJob
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import Plan

CHORE: t.Final = options.CHORE
# A plan in evidence is read back by the steps after it.
ENDED: tuple[Outcome, ...] = ("planned", "nothing", "skipped", "refused", "released", *BAD)


@dataclass
class Job(ChoreJob[options.Options]):
    """One host in one run of patching."""

    def plan(self) -> Plan | None:
        """The plan that this run made for the host."""
        return self.store.read_plan(Plan, self.run_id, self.host)

    def packages(self) -> Mapping[str, t.Any]:
        """What the packages probe of this run told of the host."""
        evidence = self.evidence()
        if evidence is None or evidence.observation is None:
            raise EvidenceError(f"{self.host} was not observed in this run.")
        return t.cast("Mapping[str, t.Any]", evidence.observation["probes"]["packages"]["data"])

    def change(self) -> ChangeRecord:
        """The host's change so far."""
        record = super().change()
        record.approver = record.approver or self.options.approver
        record.ticket = record.ticket or self.options.ticket
        return record


class PatchAction(ChoreAction[Job]):
    """A step of patching one host. Subclasses implement ``work``."""

    CHORE = CHORE
    JOB = Job
    OPTIONS = options.Options
    REGISTERED = options.REGISTERED
