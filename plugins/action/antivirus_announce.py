# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Print the antivirus plans of all hosts as one text, and keep it in the run's folder."""

from __future__ import annotations

from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus import announcement
from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus.models import Plan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus.options import CHORE
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.announcing import AnnounceAction, Run


class ActionModule(AnnounceAction):
    """keepwell.fleet.antivirus_announce"""

    CHORE = CHORE

    def announce(self, run: Run) -> tuple[str, str]:
        """Return the plans as text, and of how many hosts."""
        plans = list(run.store.read_plans(Plan, run.run_id))
        missing = run.missing(plan.host for plan in plans)
        text = announcement.client(run.header.client, plans, missing, run.run_id, run.now, acting=run.acting)
        return text, f"{len(plans)} hosts planned"
