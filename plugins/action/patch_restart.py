# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restart the units that still run on files which the change has replaced."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import following
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.guards import paused
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import guards, planning
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.work import Job, PatchAction

_TIMEOUT_S = 300


class ActionModule(PatchAction):
    """keepwell.fleet.patch_restart"""

    def work(self, job: Job) -> dict[str, t.Any]:
        """Return what became of each unit."""
        record = job.change()
        if self._task.check_mode or record.outcome != "running":
            return {"changed": False, "outcome": record.outcome, "msg": "nothing to restart"}
        if self.on_windows():
            # What runs on old files on Windows takes the new ones with the reboot: nothing can be told or done before.
            return {"changed": False, "outcome": record.outcome, "msg": "Windows: with the reboot"}
        since = job.now()
        stop = paused(job)
        decision = guards.window(job, reserve=False)
        if stop is not None or not decision.open:
            why = stop.text if stop is not None else decision.reason
            text = f"services may run on old files until they are restarted: {why}"
            job.step(record, "restart_services", "skipped", text, since)
            job.save(record)
            return {"changed": False, "outcome": record.outcome, "msg": text}
        try:
            asked: set[str] = set()
            kept, answers = self.patiently(lambda: self._restart(job, asked), job.options.reconnect_s)
        except AnsibleConnectionFailure as exc:
            following.lose(job, record, exc, "restart services")
            job.save(record)
            raise
        # The connection broke while they were restarted, and they do not run on old files any more.
        record.services = dict.fromkeys(sorted(asked - answers.keys()), "restarted: nobody heard what came of it")
        record.services.update({**kept, **{unit: _words(answer) for unit, answer in answers.items()}})
        failed = sorted(unit for unit, answer in answers.items() if answer["result"] == "failed")
        done = sorted(unit for unit, answer in answers.items() if answer["result"] == "restarted")
        text = f"restarted {', '.join(done) or 'nothing'}" + (f"; failed: {', '.join(failed)}" if failed else "")
        # A unit that does not come back is what the verification looks for: it decides.
        job.step(record, "restart_services", "failed" if failed else "done", text, since)
        job.save(record)
        changed = bool(done or asked - answers.keys())
        return {"changed": changed, "outcome": record.outcome, "services": record.services, "msg": text}

    def _restart(self, job: Job, asked: set[str]) -> tuple[dict[str, str], dict[str, t.Any]]:
        """Restart what runs on old files now; return what is left alone, and the answers. Notes what it asks for."""
        document = self.observe(["packages", "services"], job.settings.probe_parameters, job.task_vars)
        units, kept = planning.services(document, job.options)
        asked.update(units)
        request = {"operation": "restart", "units": units, "timeout_s": _TIMEOUT_S}
        return kept, self.ask(request, job.task_vars)["units"] if units else {}


def _words(answer: t.Mapping[str, t.Any]) -> str:
    return str(answer["result"]) + (f": {answer['text']}" if answer.get("text") else "")
