# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what the actions of antivirus work have in common. Runs on the control node."""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus import defender, options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus.models import Plan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.work import ChoreAction
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.work import Job as ChoreJob
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import named, plain

CHORE: t.Final = options.CHORE
_DATASETS = "backup_verification_datasets"
# A scan that is cut goes on where it ended the next time.
_SHORTEST_SCAN_S = 60.0


@dataclass
class Job(ChoreJob[options.Options]):
    """One host in one run of antivirus work."""

    # Folders that the client declares as repositories of backups.
    backups: t.Sequence[str] = ()

    def plan(self) -> Plan | None:
        """The plan that this run made for the host."""
        return self.store.read_plan(Plan, self.run_id, self.host)

    def change(self) -> ChangeRecord:
        """The host's change so far."""
        record = super().change()
        record.approver = record.approver or self.options.approver
        record.ticket = record.ticket or self.options.ticket
        return record

    def steps(self) -> list[options.Step]:
        """What is asked for, by the switches and by the tags of the playbook."""
        return self.options.steps([str(tag) for tag in plain(self.task_vars.get("ansible_run_tags") or [])])

    def scan_request(self, closes_at: float | None = None) -> dict[str, t.Any]:
        """What the host is told of a scan.

        It ends early enough before its window closes (epoch) that what it finds is moved and looked at again inside.
        """
        limits = self.options.scan_limits
        seconds = limits.minutes * 60.0
        if closes_at is not None:
            left = closes_at - self.now() - self.splay_s() - self.options.reserve_minutes * 60.0
            seconds = max(_SHORTEST_SCAN_S, min(seconds, left))
        return {
            # Of engines that decide themselves where they look.
            "kind": "full" if defender.scans_all(self.options) else "quick",
            "paths": list(self.options.scan_paths),
            "exclude": list(self.options.scan_exclude),
            "backups": list(self.backups),
            "seconds": seconds,
            "max_file_bytes": limits.max_file_mb << 20,
            "max_scan_bytes": limits.max_scan_mb << 20,
            "cpu_percent": limits.cpu_percent,
        }

    def splay_s(self) -> float:
        """Seconds for which this host waits before it asks the vendor's servers: always the same, by its name."""
        drawn = int.from_bytes(hashlib.sha256(self.host.encode("utf-8")).digest()[:4], "big") / 2.0**32
        return round(drawn * self.options.splay_minutes * 60.0, 1)


class AntivirusAction(ChoreAction[Job]):
    """A step of antivirus work on one host. Subclasses implement ``work``."""

    CHORE = CHORE
    JOB = Job
    OPTIONS = options.Options
    REGISTERED = options.REGISTERED

    def _job(self, task_vars: dict[str, t.Any], arguments: dict[str, t.Any]) -> Job:
        job = super()._job(task_vars, arguments)
        if _DATASETS in task_vars:
            declared = named(_DATASETS, lambda name: self._templar.template(task_vars[name]))
            job.backups = options.backup_places(declared)
        return job
