# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make the definitions of what AWX has to have for a client, checked. Nobody is asked."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils import settings, validation
from ansible_collections.keepwell.fleet.plugins.plugin_utils.awx import kept, rendering, written
from ansible_collections.keepwell.fleet.plugins.plugin_utils.awx.options import NAME, REGISTERED, Options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.client_action import ClientAction
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import (
    keepwell_variables,
    named,
)


class ActionModule(ClientAction):
    """keepwell.fleet.awx_definitions"""

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return the definitions; fail with every mistake, a line each."""
        own = keepwell_variables(self._templar, task_vars)
        now, _simulated = settings.now(own, time.time())
        sources, hosts = self.whole_client(task_vars)
        found = validation.look(task_vars, sources, hosts, now)
        found.refuse()
        chosen = self._options(task_vars)
        told = written.tell(found.told, str(task_vars["playbook_dir"]), now)
        definitions, problems = written.look(told, written.documented(), now)
        for sentence in problems:
            self._display.display(f"✖ {sentence}")
        if problems:
            raise settings.SettingsError([f"{len(problems)} wrong in the definitions for AWX. AWX was not asked."])
        return {
            "changed": False,
            "client": told.client.id,
            "definitions": definitions if chosen.state == "present" else {},
            "written": kept.digest(told.awx, told.schedule, told.client.timezone),
            "mark": rendering.mark(told.client.id),
            "msg": f"{sum(map(len, definitions.values()))} objects for {told.client.name}",
        }

    def _options(self, task_vars: dict[str, t.Any]) -> Options:
        names = [name for name in map(str, task_vars) if name.startswith(f"{NAME}_") and name not in REGISTERED]
        values = {name: named(name, lambda name: self._templar.template(task_vars[name])) for name in names}
        return options.read(NAME, Options, values, REGISTERED)
