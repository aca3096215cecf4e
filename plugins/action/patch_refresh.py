# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Let the host fetch its lists of packages anew."""

from __future__ import annotations

import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.guards import held
from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_action import one_line
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.work import Job, PatchAction
from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_errors import catalogue

_TIMEOUT_S = 600


class ActionModule(PatchAction):
    """keepwell.fleet.patch_refresh"""

    def work(self, job: Job) -> dict[str, t.Any]:
        """Return whether every repository answered. One that did not is no failure here: the plan judges the lists."""
        if self._task.check_mode:
            return {"changed": False, "skipped": True, "msg": "check mode: lists are left as they are"}
        stop = held(job)
        if stop is not None:
            return {"changed": False, "skipped": True, "msg": f"lists are left as they are: {stop.text}"}
        answer = self.ask({"operation": "refresh", "timeout_s": _TIMEOUT_S}, job.task_vars)
        errors = [one_line(catalogue.told(error)) for error in answer["errors"]]
        if errors:
            self._display.warning(f"{job.host}: lists of packages were not refreshed: {'; '.join(errors[:3])}")
        return {
            "changed": not errors,
            "errors": errors,
            "msg": "; ".join(errors) or "all repositories were read",
        }
