# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write a host's canaries anew where they are old, and keep what was written as evidence."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.work import (
    Job,
    VerifyAction,
    canaries_file,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import guards


class ActionModule(VerifyAction):
    """keepwell.fleet.backup_canary"""

    def work(self, job: Job) -> dict[str, t.Any]:
        """Return which canaries were written. One that cannot be is a warning here: what is in a backup is judged."""
        wanted = [dataset for dataset in job.options.datasets if dataset.canary is not None]
        if not wanted:
            return {"changed": False, "msg": "no dataset of this host has a canary"}
        if not self.acts(job) or not job.options.canary_upkeep:
            return {"changed": False, "skipped": True, "msg": "canaries are left as they are"}
        stop = guards.bought(job)
        if stop is not None:
            return {"changed": False, "skipped": True, "msg": stop.text}
        every_hours = job.options.canary_days * 24.0
        canaries = [
            {"id": dataset.id, "path": dataset.canary.path, "every_hours": every_hours}
            for dataset in wanted
            if dataset.canary is not None
        ]
        request: dict[str, t.Any] = {"operation": "canary", "canaries": canaries, "now": job.simulated_now}
        answers = self.ask_until(request, job.task_vars, job.options.reconnect_s)["canaries"]
        job.store.write_document(
            job.run_id, canaries_file(job.host), json.dumps(answers, indent=1, sort_keys=True).encode("utf-8")
        )
        for name, answer in sorted(answers.items()):
            if answer.get("error"):
                self._display.warning(f"{job.host}/{name}: {answer['text']}")
        written = sorted(name for name, answer in answers.items() if answer.get("written"))
        return {
            "changed": bool(written),
            "written": written,
            "msg": f"written anew: {', '.join(written)}" if written else "all canaries are fresh enough",
        }
