# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Print the plans of all hosts as one text, and keep it in the run's folder."""

from __future__ import annotations

from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.announcing import AnnounceAction, Run
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import announcement
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import Plan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.options import CHORE


class ActionModule(AnnounceAction):
    """keepwell.fleet.patch_announce"""

    CHORE = CHORE

    def announce(self, run: Run) -> tuple[str, str]:
        """Return the plans as text, and how many updates they have."""
        plans = list(run.store.read_plans(Plan, run.run_id))
        missing = run.missing(plan.host for plan in plans)
        text = announcement.client(run.header.client, plans, missing, run.run_id, run.now, acting=run.acting)
        wanted = sum(len(plan.items) for plan in plans)
        return text, f"{wanted} updates on {sum(not plan.empty for plan in plans)} of {len(plans)} hosts"
