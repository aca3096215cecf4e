# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Print the antivirus plans of all hosts as one text, and keep it in the run's folder."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils import settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus import announcement
from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus.models import Plan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus.options import CHORE
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import announcing
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.work import run_of
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import (
    ControlAction,
    keepwell_variables,
)


class ActionModule(ControlAction):
    """keepwell.fleet.antivirus_announce"""

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return where the text is."""
        own = keepwell_variables(self._templar, task_vars)
        now, _simulated = settings.now(own, time.time())
        store, run_id = run_of(own, task_vars)
        header = store.read_run(run_id).header
        plans = list(store.read_plans(Plan, run_id))
        missing = sorted(set(header.bought.get(CHORE) or header.population) - {plan.host for plan in plans})
        text = announcement.client(header.client, plans, missing, run_id, now, acting=CHORE in header.acting)
        path = announcing.keep(store, run_id, text)
        self._display.display(text.rstrip("\n"))
        return {"changed": False, "path": str(path), "msg": f"{len(plans)} hosts planned"}
