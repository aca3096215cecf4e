# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Record a run: put it together from its evidence, seal it, index it, and return what a reader wants first."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils import runs, settings, status
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import (
    ControlAction,
    keepwell_variables,
    state_dir,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import current_run
from ansible_collections.keepwell.fleet.plugins.plugin_utils.processes import this_process


class ActionModule(ControlAction):
    """keepwell.fleet.record"""

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return the run's headline; ``run`` is the path of run.json, for reports."""
        own = keepwell_variables(self._templar, task_vars)
        now, _simulated = settings.now(own, time.time())
        folder = state_dir(own, task_vars)
        found = current_run(folder, this_process())
        if found is None:
            raise EvidenceError(
                "There is nothing to record: no host matched. Check the inventory (-i), --limit and keepwell_hosts."
            )
        store, run_id = found
        run = runs.conclude(store, run_id, now)
        for problem in run.altered_evidence:
            self._display.display(f"▲ {problem}")
        result = status.result_of(store, run)
        status.write(store, result["status"])
        return result
