# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan the antivirus work of a host: what was asked for, what it would meet, what stands against it."""

from __future__ import annotations

import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus import planning
from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus.work import AntivirusAction, Job


class ActionModule(AntivirusAction):
    """keepwell.fleet.antivirus_plan"""

    def work(self, job: Job) -> dict[str, t.Any]:
        """Return the plan in short; the whole of it is in the run's folder."""
        steps = job.steps()
        request: dict[str, t.Any] = {"operation": "look"}
        if "scan" in steps:
            request["scan"] = job.scan_request()
        look = self.ask(request, job.task_vars)
        plan = planning.build(
            client=job.store.client_id,
            run_id=job.run_id,
            host=job.host,
            now=job.now(),
            look=look,
            options=job.options,
            steps=steps,
            splay_s=job.splay_s(),
        )
        job.store.write_plan(plan)
        record = job.change()
        if record.outcome in ("planned", "nothing"):
            record.outcome = "planned" if plan.steps else "nothing"
            record.text = planning.headline(plan)
        job.save(record)
        return {
            "changed": bool(self._task.check_mode and plan.possible),
            "steps": plan.possible,
            "targets": plan.targets.model_dump() if plan.targets else {},
            "msg": planning.headline(plan),
        }
