# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make a filesystem larger before it is full: plan, refuse, carry out, verify."""

from __future__ import annotations

import shlex
import typing as t

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import BAD, ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import following
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.guards import enter
from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup import guards, wanting
from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup.models import GrowthPart
from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup.work import (
    CleanupAction,
    Job,
    absorb,
    follow,
    part_of,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_action import HostError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.identifiers import new_run_id
from ansible_collections.keepwell.fleet.plugins.plugin_utils.payload import work_program


class ActionModule(CleanupAction):
    """keepwell.fleet.disk_grow"""

    def work(self, job: Job) -> dict[str, t.Any]:
        """Return which filesystems would be, or were, made larger."""
        record = job.change()
        if not job.options.grow:
            return {"changed": False, "msg": "disk_cleanup_grow is off"}
        if record.outcome in BAD:
            return {"changed": False, "outcome": record.outcome, "msg": record.text}
        asked = self._plan(job, record)
        planned = [entry for entry in part_of(record).growth if entry.outcome == "planned"]
        if planned and record.outcome == "nothing":
            record.outcome = "planned"
            record.text = "; ".join(entry.text for entry in planned)
        job.save(record)
        texts = "; ".join(entry.text for entry in part_of(record).growth) or "no named filesystem asks for room"
        if self._task.check_mode or not planned:
            return {"changed": bool(self._task.check_mode and planned), "outcome": record.outcome, "msg": texts}
        stop = guards.growth(job)
        if stop is not None:
            for entry in planned:
                entry.outcome, entry.code, entry.text = "refused", stop.code, stop.text
            if record.outcome == "planned":
                record.outcome, record.code, record.text = stop
            job.save(record)
            return {"changed": False, "outcome": record.outcome, "msg": stop.text}
        try:
            return self._carry_out(job, record, asked, {entry.mount for entry in planned})
        except AnsibleConnectionFailure as exc:
            following.lose(job, record, exc, "grow")
            job.save(record)
            raise
        except HostError as exc:
            following.leave(job, record, exc, "grow")
            job.save(record)
            raise

    def _plan(self, job: Job, record: ChangeRecord) -> list[dict[str, t.Any]]:
        """Fill in what would be made larger, or why not; return what is asked of the host."""
        part = part_of(record)
        part.growth = []
        evidence = job.seen()
        view = job.view(evidence)
        asked: list[dict[str, t.Any]] = []
        earlier = job.earlier()
        for want in wanting.filesystems(view, evidence.result.results, job.options):
            if want.mount not in job.options.grow_filesystems:
                continue
            against = wanting.against_growth(view, want.entry, earlier, job.now())
            size = wanting.growth_bytes(view, want.entry, job.options)
            if against is None and size <= 0:
                against = ("enough", f"{want.mount} has enough room for what is asked.")
            if against is not None:
                part.growth.append(GrowthPart(mount=want.mount, outcome="refused", code=against[0], text=against[1]))
                continue
            asked.append(
                {
                    "mount": want.mount,
                    "add_bytes": size,
                    "step_percent": job.options.grow_step_percent,
                    "reserve_percent": job.options.grow_reserve_percent,
                }
            )
        plans = self.ask({"operation": "plan_growth", "mounts": asked}, job.task_vars)["plans"] if asked else []
        for plan in plans:
            refused = plan["refused"]
            part.growth.append(
                GrowthPart(
                    mount=plan["mount"],
                    kind=plan["kind"],
                    fstype=plan["fstype"],
                    device=plan["device"],
                    from_bytes=plan["from_bytes"],
                    to_bytes=plan["to_bytes"],
                    steps=[shlex.join(argv) for argv in plan["steps"]],
                    outcome="refused" if refused else "planned",
                    code=refused["code"] if refused else "",
                    text=refused["text"] if refused else plan["text"],
                )
            )
        return asked

    def _carry_out(
        self, job: Job, record: ChangeRecord, asked: list[dict[str, t.Any]], mounts: set[str]
    ) -> dict[str, t.Any]:
        earlier = record.transaction
        if earlier:
            # One record, two pieces of work: the end of the first is in it by now.
            self.ask({"operation": "recorded", "id": earlier}, job.task_vars)
        record.outcome, record.transaction = "running", new_run_id(job.now())
        enter(job, record, guards.window(job, "grow"), guards.expected(job, "grow"))
        job.save(record)
        request = {
            "operation": "start",
            "kind": "grow",
            "id": record.transaction,
            "run_id": job.run_id,
            "client": job.store.client_id,
            "host": job.host,
            "mounts": [entry for entry in asked if entry["mount"] in mounts],
            "limits": {"runtime_s": job.options.limits.runtime_minutes * 60, "nice": job.options.limits.nice},
            # Windows hosts take the work along with the module that asks for it.
            **({} if self.on_windows() else {"program": work_program(self.CHORE)}),
        }
        started = self.ask_until(request, job.task_vars, job.options.reconnect_s)
        if not started.get("started") and not started.get("attached"):
            record.outcome, record.code = "refused", str(started.get("code") or "not_started")
            record.text, record.transaction = str(started.get("text") or "the host did not start it"), earlier
        else:
            absorb(job, record, follow(self, job, record.transaction), "grow")
        job.save(record)
        grown = [entry.text for entry in part_of(record).growth if entry.outcome == "done"]
        failed = record.outcome != "running"
        return {
            "changed": bool(grown),
            "outcome": record.outcome,
            "msg": record.text if failed else "; ".join(grown),
            **({"failed": True} if failed else {}),
        }
