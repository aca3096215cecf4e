# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Do the antivirus work of a host: pass the guards, start it and follow it."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus import (
    defender,
    guards,
    outcome,
    transaction,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus.work import AntivirusAction, Job
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import BAD, ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import following
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import guards as chore_guards
from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_action import HostError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.identifiers import new_run_id
from ansible_collections.keepwell.fleet.plugins.plugin_utils.payload import work_program


class ActionModule(AntivirusAction):
    """keepwell.fleet.antivirus_apply"""

    def work(self, job: Job) -> dict[str, t.Any]:
        """Return whether the host was touched, and how its change stands."""
        record = job.change()
        if self._task.check_mode:
            return _result(record, "check mode: nothing is changed")
        if record.outcome in (*BAD, "refused"):
            return _result(record, record.text, failed=True)
        if record.outcome == "running":
            # What an earlier run began is verified first; the next run does the rest.
            return self._done(job, record)
        try:
            decision = guards.decide(job, job.plan())
            for name, stop in decision.held.items():
                job.step(record, name, "skipped", stop.text, job.now())
            if decision.stop is not None:
                record.outcome, record.code, record.text = decision.stop
                job.save(record)
                return _result(record, record.text, failed=record.outcome == "refused")
            chore_guards.enter(job, record, decision.window, decision.needed)
            closes_at = decision.window.closes_at if decision.window is not None else None
            self._carry_out(job, record, decision.steps, closes_at)
        except AnsibleConnectionFailure as exc:
            following.lose(job, record, exc, "apply")
            job.save(record)
            raise
        except HostError as exc:
            if record.outcome == "running":
                following.leave(job, record, exc, "apply")
                job.save(record)
            raise
        return self._done(job, record)

    def _carry_out(self, job: Job, record: ChangeRecord, steps: list[str], closes_at: float | None) -> None:
        options = job.options
        record.outcome, record.transaction = "running", new_run_id(job.now())
        # Before the host is asked: what is begun must be known, whatever happens then.
        job.save(record)
        request = {
            "operation": "start",
            "id": record.transaction,
            "run_id": job.run_id,
            "client": job.store.client_id,
            "host": job.host,
            "steps": steps,
            "splay_s": job.splay_s() if "update" in steps else 0.0,
            "scan": job.scan_request(closes_at),
            "quarantine": {"folders": list(options.quarantine_folders), "archives": options.archives},
            "update": {"current_s": defender.CURRENT_S},
            "repair": {"attempts": options.repair_attempts, "per_day": options.repairs_per_day},
            "restore": options.restore or "none",
            "limits": transaction.limits(job),
            # Windows hosts take the work along with the module that asks for it.
            **({} if self.on_windows() else {"program": work_program(self.CHORE)}),
        }
        started = self.ask_until(request, job.task_vars, options.reconnect_s)
        if started.get("started") or started.get("attached"):
            transaction.follow(self, job, record)
            return
        record.outcome, record.code = "refused", str(started.get("code") or "not_started")
        record.text, record.transaction = str(started.get("text") or "the host did not start it"), ""

    @staticmethod
    def _done(job: Job, record: ChangeRecord) -> dict[str, t.Any]:
        record.residual = outcome.residual(record)
        job.save(record)
        failed = record.outcome != "running"
        text = record.text if failed else outcome.sentence(record)
        return {
            **_result(record, text, touched=bool(record.transaction), failed=failed),
            "changed": guards.has_changed(record),
        }


def _result(record: ChangeRecord, text: str, touched: bool = False, failed: bool = False) -> dict[str, t.Any]:
    return {
        "changed": False,
        "touched": touched,
        "outcome": record.outcome,
        "msg": text,
        **({"failed": True} if failed else {}),
    }
