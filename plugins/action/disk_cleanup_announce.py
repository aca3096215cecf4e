# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Print what would become free on all hosts as one text, and keep it in the run's folder."""

from __future__ import annotations

from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.announcing import AnnounceAction, Run
from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup import announcement
from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup.options import CHORE


class ActionModule(AnnounceAction):
    """keepwell.fleet.disk_cleanup_announce"""

    CHORE = CHORE

    def announce(self, run: Run) -> tuple[str, str]:
        """Return what would become free as text, and on how many hosts."""
        changes = run.store.read_changes(run.run_id)
        records = [record for record in changes if record.chore == CHORE and record.cleanup]
        missing = run.missing(record.host for record in records)
        text = announcement.client(run.header.client, records, missing, run.run_id, run.now, acting=run.acting)
        asking = sum(bool(record.cleanup and record.cleanup.filesystems) for record in records)
        return text, f"{asking} of {len(records)} hosts ask for room"
