# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the variables of every host, before the first connection, and write down who lets the client go on."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils import settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.work import (
    options_of_all,
    run_of,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import ControlAction, keepwell_variables
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.history import History
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import gates, options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.work import CHORE


class ActionModule(ControlAction):
    """keepwell.fleet.patch_check"""

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return for how many hosts they are fine, and which hosts were released."""
        own = keepwell_variables(self._templar, task_vars)
        now, _simulated = settings.now(own, time.time())
        store, run_id = run_of(own, task_vars)
        chosen = options_of_all(CHORE, options.Options, task_vars, options.REGISTERED)
        here = {str(host) for host in task_vars["ansible_play_hosts_all"]}
        mine = {host: entry for host, entry in chosen.items() if host in here}
        return {
            "changed": False,
            "released": self._release(store, run_id, mine, now),
            "msg": f"the variables of {len(chosen)} hosts are fine",
        }

    def _release(self, store: Store, run_id: str, chosen: dict[str, options.Options], now: float) -> list[str]:
        """Write down that a person lets a client go on after a change that failed or left new findings."""
        known = History(store).changes(CHORE) + History(store).changes("release")
        released = []
        for host in gates.releasable(known):
            entry = chosen.get(host)
            if entry is None or not entry.release:
                continue
            store.write_change(
                ChangeRecord(
                    run_id=run_id,
                    client=store.client_id,
                    host=host,
                    chore="release",
                    outcome="released",
                    text=entry.release,
                    approver=entry.approver,
                    ticket=entry.ticket,
                    started_at=iso(now),
                    ended_at=iso(now),
                )
            )
            released.append(host)
            self._display.display(f"Released: {host} ({entry.release}; {entry.approver})")
        return released
