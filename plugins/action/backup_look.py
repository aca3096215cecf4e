# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Look at the backups that a host verifies, and find out what is due and what it would do."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import looking, planning, testing
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.work import Job, VerifyAction
from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_action import HostError, one_line


class ActionModule(VerifyAction):
    """keepwell.fleet.backup_look"""

    def work(self, job: Job) -> dict[str, t.Any]:
        """Return what was seen in short; the whole of it is in the run's folder."""
        entries = job.entries()
        if not entries:
            return {"changed": False, "looked": {}, "msg": "this host verifies nothing"}
        taken = 0
        try:
            if self.acts(job):
                record = job.change()
                testing.sweep(self, job, record)
                taken = testing.adopt(self, job, record, entries)
            looks = looking.look(self, job, entries)
            plan = planning.plan(self, job, entries, closed=testing.closed(job) if self.acts(job) else None)
        except AnsibleConnectionFailure as exc:
            looking.give_up(job, entries, "unreached", one_line(f"not reachable: {self.silence(exc)}"))
            raise
        except HostError as exc:
            looking.give_up(job, entries, "error", str(exc))
            raise
        job.store.write_plan(plan)
        chosen = plan.chosen()
        bad = sum(status != "ok" for status in looks.values())
        adopted = f"; took up {taken} tests of an earlier run" if taken else ""
        return {
            "changed": bool(self._task.check_mode and chosen),
            "looked": looks,
            "due": [f"{entry.name} {entry.test.kind}" for entry in chosen],
            "msg": f"{len(looks)} datasets, {bad} of them not seen; {len(chosen)} of {len(plan.tests)} tests{adopted}",
        }
