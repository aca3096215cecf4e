# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make the definitions of what AWX has to have for a client, checked. Nobody is asked."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils import settings, validation
from ansible_collections.keepwell.fleet.plugins.plugin_utils.awx import rendering, written
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import (
    ControlAction,
    inventory,
    keepwell_variables,
)


class ActionModule(ControlAction):
    """keepwell.fleet.awx_definitions"""

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return the definitions; fail with every mistake, a line each."""
        own = keepwell_variables(self._templar, task_vars)
        now, _simulated = settings.now(own, time.time())
        hosts = sorted(str(host) for host in task_vars["groups"]["all"])
        if not hosts:
            raise settings.SettingsError(["The inventory has no host. Check -i."])
        found = validation.look(task_vars, inventory(task_vars), hosts, now)
        found.refuse()
        told = written.tell(found.told, str(task_vars["playbook_dir"]), now)
        definitions, problems = written.look(told, written.documented(), now)
        for sentence in problems:
            self._display.display(f"✖ {sentence}")
        if problems:
            raise settings.SettingsError([f"{len(problems)} wrong in the definitions for AWX. AWX was not asked."])
        return {
            "changed": False,
            "client": told.client.id,
            "definitions": definitions,
            "mark": rendering.mark(told.client.id),
            "msg": f"{sum(map(len, definitions.values()))} objects for {told.client.name}",
        }
