# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide who verifies what, and what may go on at the same time, after every host's variables were checked."""

from __future__ import annotations

import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import options, schedule
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.work import (
    options_of_all,
    run_of,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import (
    ControlAction,
    keepwell_variables,
)


class ActionModule(ControlAction):
    """keepwell.fleet.backup_schedule"""

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return the batches of this play."""
        own = keepwell_variables(self._templar, task_vars)
        store, run_id = run_of(own, task_vars)
        chosen = options_of_all(options.CHORE, options.Options, task_vars, options.REGISTERED)
        # Hosts that the plan does not cover are no part of the run.
        here = {str(host) for host in task_vars["ansible_play_hosts_all"]} & set(
            store.read_run(run_id).header.population
        )
        made = schedule.schedule(options.assigned(chosen), here)
        store.write_document(run_id, schedule.FILE, made.model_dump_json().encode("utf-8"))
        for name, verifier in made.without_verifier.items():
            self._display.warning(f"{name} is not looked at: its verifier {verifier} is no part of this run (--limit).")
        number = sum(len(places) for places in made.verifiers.values())
        return {
            "changed": False,
            "batches": [batch.model_dump() for batch in made.batches],
            "msg": f"{number} datasets, verified by {len(made.verifiers)} hosts in {len(made.batches)} batches",
        }
