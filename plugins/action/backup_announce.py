# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Print what is due on all hosts as one text, and keep it in the run's folder."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils import settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import announcement, schedule
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.options import CHORE
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.plans import TestPlan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import announcing
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.work import run_of
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import (
    ControlAction,
    keepwell_variables,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError


class ActionModule(ControlAction):
    """keepwell.fleet.backup_announce"""

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return where the text is."""
        own = keepwell_variables(self._templar, task_vars)
        now, _simulated = settings.now(own, time.time())
        store, run_id = run_of(own, task_vars)
        content = store.read_document(run_id, schedule.FILE)
        if content is None:
            raise EvidenceError("Nobody said who verifies what. Call keepwell.fleet.backup_schedule first.")
        told = schedule.Schedule.model_validate_json(content)
        header = store.read_run(run_id).header
        plans = list(store.read_plans(TestPlan, run_id))
        silent = set(told.verifiers) - {plan.host for plan in plans}
        text = announcement.client(
            header.client, plans, told.without_verifier, silent, run_id, now, acting=CHORE in header.acting
        )
        path = announcing.keep(store, run_id, text)
        self._display.display(text.rstrip("\n"))
        wanted = sum(len(plan.chosen()) for plan in plans)
        return {"changed": False, "path": str(path), "msg": f"{wanted} tests on {len(plans)} hosts"}
