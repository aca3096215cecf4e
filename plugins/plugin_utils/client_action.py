# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: an action about a whole client as its files have it. Runs on the control node."""

from __future__ import annotations

import os
import typing as t

from ansible.utils.vars import load_extra_vars

from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import ControlAction, inventory
from ansible_collections.keepwell.fleet.plugins.plugin_utils.inventory_sources import refuse_two_clients
from ansible_collections.keepwell.fleet.plugins.plugin_utils.settings import SettingsError


class ClientAction(ControlAction):
    """An action that reads everything that was written about one client."""

    def whole_client(self, task_vars: dict[str, t.Any]) -> tuple[list[str], list[str]]:
        """Return the sources of the inventory and all its hosts. Raises SettingsError for two clients or no host."""
        sources = [os.path.abspath(source) if os.path.exists(source) else source for source in inventory(task_vars)]
        refuse_two_clients(self._loader, sources, load_extra_vars(self._loader))
        hosts = sorted(str(host) for host in task_vars["groups"]["all"])
        if not hosts:
            raise SettingsError(["The inventory has no host. Check -i."])
        return sources, hosts
