# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the variables of every host, before the first connection."""

from __future__ import annotations

import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.work import (
    options_of_all,
    run_of,
    turns_of,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import ControlAction, keepwell_variables
from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup import options


class ActionModule(ControlAction):
    """keepwell.fleet.disk_cleanup_check"""

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return for how many hosts they are fine, and who has the first turn."""
        chosen = options_of_all(options.CHORE, options.Options, task_vars, options.REGISTERED)
        store, run_id = run_of(keepwell_variables(self._templar, task_vars), task_vars)
        return {
            "changed": False,
            "turns": turns_of(store, run_id, options.CHORE, task_vars),
            "msg": f"the variables of {len(chosen)} hosts are fine",
        }
