# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what placing a hold and releasing it have in common. Runs on the control node."""

from __future__ import annotations

import time
import typing as t
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from ansible.inventory.manager import split_host_pattern
from ansible.plugins.loader import lookup_loader
from ansible.utils.vars import load_extra_vars

from ansible_collections.keepwell.fleet.plugins.plugin_utils import settings, trigger
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.work import refuse_lost_words
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import (
    ControlAction,
    inventory,
    keepwell_variables,
    named,
    state_dir,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.inventory_sources import refuse_two_clients
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.times import find_zone
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Client
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Trigger


@dataclass(frozen=True)
class Asked:
    """Who asks, for which hosts of which client; no hosts are the whole client."""

    client: Client
    hosts: list[str]
    store: Store
    now: float
    zone: ZoneInfo
    who: Trigger


class HoldAction(ControlAction):
    """An action over a client's holds."""

    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "reason": {"type": "str", "required": True},
        "hosts": {"type": "list", "elements": "str"},
    }

    def asked(self, arguments: Mapping[str, t.Any], task_vars: dict[str, t.Any]) -> Asked:
        """Return what is asked for. Raises SettingsError when that is no host, or hosts of several clients."""
        refuse_lost_words(task_vars)
        own = keepwell_variables(self._templar, task_vars)
        now, _simulated = settings.now(own, time.time())
        everyone = sorted(str(host) for host in task_vars["groups"]["all"])
        if not everyone:
            raise settings.SettingsError(["The inventory has no host. Check -i."])
        sources = inventory(task_vars)
        # Nothing else is checked: whoever wants everything to stop is not to mend a policy first.
        refuse_two_clients(self._loader, sources, load_extra_vars(self._loader))
        declared = (named("keepwell_client", task_vars["hostvars"][host].get) for host in everyone)
        clients = {client.id: client for client in (settings.client(value, sources) for value in declared)}
        if len(clients) > 1:
            raise settings.SettingsError(
                [f"A hold is for one client, but these hosts belong to several: {', '.join(sorted(clients))}."]
            )
        [client] = clients.values()
        return Asked(
            client=client,
            hosts=self._chosen(arguments["hosts"], everyone, task_vars),
            store=Store(state_dir(own, task_vars), client.id),
            now=now,
            zone=find_zone(client.timezone) or ZoneInfo("UTC"),
            who=trigger.here(task_vars),
        )

    def _chosen(
        self, patterns: Sequence[str] | None, everyone: Collection[str], task_vars: Mapping[str, t.Any]
    ) -> list[str]:
        """Return the hosts that are meant: by keepwell_hosts, by --limit, or by both; none for the whole client."""
        limit = task_vars.get("ansible_limit")
        if patterns is None and limit is None:
            return []
        within = {*everyone}
        if limit is not None:
            # Ansible goes on with what is left of it.
            self._matching("--limit", str(limit), task_vars)
            within &= {str(host) for host in task_vars["ansible_play_hosts_all"]}
        if patterns is not None:
            within &= {*self._matching("keepwell_hosts", list(patterns), task_vars)}
        if not within:
            raise settings.SettingsError(
                [
                    "No host of this inventory matches. Check keepwell_hosts and --limit; without both the whole "
                    "client is meant."
                ]
            )
        return sorted(within)

    def _matching(self, option: str, patterns: str | list[str], task_vars: Mapping[str, t.Any]) -> list[str]:
        """Return the hosts that patterns match. Raises SettingsError when a part of them matches none.

        A host that is left out because of a typo would be changed although somebody has just held it.
        """
        lookup = lookup_loader.get("ansible.builtin.inventory_hostnames", loader=self._loader, templar=self._templar)
        parts = [part for part in split_host_pattern(patterns) if not part.startswith("@")]
        found = {part: lookup.run([part.lstrip("!&")], variables=task_vars) for part in parts}
        problems = [f"{option}: '{part}' matches no host of this inventory." for part in parts if not found[part]]
        if problems:
            raise settings.SettingsError(problems)
        return [str(host) for host in lookup.run(parts, variables=task_vars)]
