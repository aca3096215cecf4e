# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take up what an earlier run began on a host and could not follow to its end."""

from __future__ import annotations

import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup.work import CleanupAction, Job, absorb, follow


class ActionModule(CleanupAction):
    """keepwell.fleet.disk_cleanup_adopt"""

    def work(self, job: Job) -> dict[str, t.Any]:
        """Return the ids of the work that was followed to its end."""
        left = self.ask({"operation": "unfinished"}, job.task_vars)["work"]
        record = job.change()
        if not left or record.outcome not in ("planned", "nothing"):
            return {"changed": False, "adopted": [], "msg": "nothing was left by an earlier run"}
        adopted = []
        for found in sorted(left, key=lambda entry: float(entry.get("started_at") or 0.0)):
            identifier = str(found["id"])
            absorb(job, record, follow(self, job, identifier), "adopt")
            record.begun_by = str(found.get("run_id") or "")
            self.ask({"operation": "recorded", "id": identifier}, job.task_vars)
            adopted.append(identifier)
            # Nothing of a cleanup is ever half done: this run looks at the host as it is now, and goes on.
            record.outcome, record.code, record.text = "planned", "", ""
        job.save(record)
        return {"changed": False, "adopted": adopted, "msg": f"took up {', '.join(adopted)}"}
