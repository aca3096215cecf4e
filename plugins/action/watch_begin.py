# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Begin a beat of the watch: check every variable before the first connection, and say what is asked of which host."""

from __future__ import annotations

import os
import time
import typing as t

from ansible.utils.vars import load_extra_vars

from ansible_collections.keepwell.fleet.plugins.plugin_utils import settings, validation
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import (
    ControlAction,
    inventory,
    keepwell_variables,
    state_dir,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.expected_runs import declared
from ansible_collections.keepwell.fleet.plugins.plugin_utils.inventory_sources import refuse_two_clients


class ActionModule(ControlAction):
    """keepwell.fleet.watch_begin"""

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return when the beat began and, of every host that is covered, the units that are watched."""
        own = keepwell_variables(self._templar, task_vars)
        now, _simulated = settings.now(own, time.time())
        sources = [os.path.abspath(source) if os.path.exists(source) else source for source in inventory(task_vars)]
        hosts = sorted(str(host) for host in task_vars["ansible_play_hosts_all"])
        refuse_two_clients(self._loader, sources, load_extra_vars(self._loader))
        found = validation.look(task_vars, sources, hosts, now)
        found.refuse()
        told = found.told[hosts[0]]
        watched = {
            host: list(entry.probe_parameters.get("services", {}).get("watched") or [])
            for host, entry in found.told.items()
            if entry.covers(host)
        }
        if not watched:
            raise settings.SettingsError([f"No host is covered by a plan: {validation.some(hosts)}."])
        if not self._task.check_mode:
            store = Store(state_dir(own, task_vars), told.client.id)
            declared.note(store, own.get("keepwell_schedule") or {}, told.client.timezone, now)
        return {
            "changed": False,
            "at": now,
            "watched": watched,
            "msg": f"A beat of {told.client.name} over {len(watched)} hosts.",
        }
