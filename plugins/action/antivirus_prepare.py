# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the antivirus variables of every host before the first connection."""

from __future__ import annotations

import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus import options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.work import (
    options_of_all,
    run_of,
    turns_of,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import (
    ControlAction,
    keepwell_variables,
    plain,
)


class ActionModule(ControlAction):
    """keepwell.fleet.antivirus_prepare"""

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return which steps are asked for of how many hosts."""
        own = keepwell_variables(self._templar, task_vars)
        store, run_id = run_of(own, task_vars)
        chosen = options_of_all(options.CHORE, options.Options, task_vars, options.REGISTERED)
        tags = [str(tag) for tag in plain(task_vars.get("ansible_run_tags") or [])]
        here = {str(host) for host in task_vars["ansible_play_hosts_all"]}
        steps = {host: entry.steps(tags) for host, entry in chosen.items() if host in here}
        asked = sorted({step for mine in steps.values() for step in mine})
        return {
            "changed": False,
            "steps": steps,
            "turns": turns_of(store, run_id, options.CHORE, task_vars),
            "msg": f"{', '.join(asked) or 'no step'} on {sum(bool(mine) for mine in steps.values())} hosts",
        }
