# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Do the antivirus work of a host: take up what an earlier run began, pass the guards, start it and follow it."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus import guards, outcome
from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus.work import AntivirusAction, Job
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import BAD, ChangeRecord, Step
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import following
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import guards as chore_guards
from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_action import HostError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.identifiers import new_run_id
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.payload import work_program

# Besides a scan: an update, a service that starts, what was found looked at again.
_OTHER_S = 3600.0


class ActionModule(AntivirusAction):
    """keepwell.fleet.antivirus_apply"""

    def work(self, job: Job) -> dict[str, t.Any]:
        """Return whether the host was touched, and how its change stands."""
        record = job.change()
        if self._task.check_mode:
            return _result(record, "check mode: nothing is changed")
        if record.outcome in BAD:
            return _result(record, record.text, failed=True)
        try:
            if self._take_up(job, record):
                return self._done(job, record)
            decision = guards.decide(job, job.plan())
            for name, stop in decision.held.items():
                job.step(record, name, "skipped", stop.text, job.now())
            if decision.stop is not None:
                record.outcome, record.code, record.text = decision.stop
                job.save(record)
                return _result(record, record.text, failed=record.outcome == "refused")
            if decision.window is not None:
                chore_guards.enter(record, decision.window)
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

    def _take_up(self, job: Job, record: ChangeRecord) -> bool:
        """Wait for work that an earlier run began and take it into this record; True when there was any."""
        left = self.ask({"operation": "unfinished"}, job.task_vars)["work"]
        for found in sorted(left, key=lambda entry: float(entry.get("started_at") or 0.0)):
            if record.transaction:
                # Its end is in this record already.
                self.ask({"operation": "recorded", "id": record.transaction}, job.task_vars)
            record.outcome, record.transaction = "running", str(found["id"])
            record.begun_by = str(found.get("run_id") or "")
            job.save(record)
            self._follow(job, record)
        return bool(left)

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
            "repair": {"attempts": options.repair_attempts, "per_day": options.repairs_per_day},
            "restore": options.restore or "none",
            "limits": self._limits(job),
            "program": work_program(self.CHORE),
        }
        started = self.ask_until(request, job.task_vars, options.reconnect_s)
        if started.get("started") or started.get("attached"):
            self._follow(job, record)
            return
        record.outcome, record.code = "refused", str(started.get("code") or "not_started")
        record.text, record.transaction = str(started.get("text") or "the host did not start it"), ""

    @staticmethod
    def _limits(job: Job) -> dict[str, t.Any]:
        limits = job.options.scan_limits
        return {
            "runtime_s": int(limits.minutes * 60 + job.splay_s() + _OTHER_S),
            "nice": limits.nice,
            "idle": True,
            # Ending the work ends the scanner, too.
            "whole": True,
            "cpu_percent": limits.cpu_percent,
            "memory_bytes": limits.memory_mb << 20,
            "read_limit": f"/ {limits.read_mb_s * 1000000}" if limits.read_mb_s else "",
        }

    def _follow(self, job: Job, record: ChangeRecord) -> None:
        """Wait for the end and take it in. A good one leaves the record running: the host is assessed again first."""
        state = following.follow(self, job, record.transaction, self._limits(job)["runtime_s"])
        record.bounded = str(state.get("bounded") or "")
        shown = job.options.paths == "shown"
        # These may hold paths.
        record.log = str(state.get("log_tail") or "")[-4000:] if shown else ""
        record.antivirus = outcome.change(state, shown=shown)
        results = state.get("results") or {}
        for name in state.get("steps") or []:
            if name not in results:
                continue
            word: t.Literal["done", "failed"] = "failed" if results[name]["result"] == "failed" else "done"
            text = str(results[name]["text"]) if shown else str(results[name].get("code") or word)
            began, ended = iso(results[name]["began"]), iso(results[name]["ended"])
            record.steps.append(Step(name=name, outcome=word, text=text, started_at=began, ended_at=ended))
        if state.get("outcome") != "done":
            record.outcome = "refused" if state.get("outcome") == "refused" else "failed"
            record.code = str(state.get("code") or "failed")
            record.text = str(state.get("text") or "") if shown else f"The work ended with '{record.code}'."
        job.save(record)

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
