# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Print what is due on all hosts as one text, and keep it in the run's folder."""

from __future__ import annotations

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import announcement, schedule
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.options import CHORE
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.plans import TestPlan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.announcing import AnnounceAction, Run
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError


class ActionModule(AnnounceAction):
    """keepwell.fleet.backup_announce"""

    CHORE = CHORE

    def announce(self, run: Run) -> tuple[str, str]:
        """Return the due tests as text, and how many there are."""
        content = run.store.read_document(run.run_id, schedule.FILE)
        if content is None:
            raise EvidenceError("Nobody said who verifies what. Call keepwell.fleet.backup_schedule first.")
        told = schedule.Schedule.model_validate_json(content)
        plans = list(run.store.read_plans(TestPlan, run.run_id))
        silent = set(told.verifiers) - {plan.host for plan in plans}
        text = announcement.client(
            run.header.client, plans, told.without_verifier, silent, run.run_id, run.now, acting=run.acting
        )
        wanted = sum(len(plan.chosen()) for plan in plans)
        return text, f"{wanted} tests on {len(plans)} hosts"
