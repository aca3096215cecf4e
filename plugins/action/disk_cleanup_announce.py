# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Print what would become free on all hosts as one text, and keep it in the run's folder."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils import settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import announcing
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.work import run_of
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import ControlAction, keepwell_variables
from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup import announcement
from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup.options import CHORE


class ActionModule(ControlAction):
    """keepwell.fleet.disk_cleanup_announce"""

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return where the text is."""
        own = keepwell_variables(self._templar, task_vars)
        now, _simulated = settings.now(own, time.time())
        store, run_id = run_of(own, task_vars)
        header = store.read_run(run_id).header
        records = [record for record in store.read_changes(run_id) if record.chore == CHORE and record.cleanup]
        missing = sorted(set(header.bought.get(CHORE) or header.population) - {record.host for record in records})
        text = announcement.client(header.client, records, missing, run_id, now, acting=CHORE in header.acting)
        path = announcing.keep(store, run_id, text)
        self._display.display(text.rstrip("\n"))
        asking = sum(bool(record.cleanup and record.cleanup.filesystems) for record in records)
        return {"changed": False, "path": str(path), "msg": f"{asking} of {len(records)} hosts ask for room"}
