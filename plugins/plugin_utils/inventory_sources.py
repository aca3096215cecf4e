# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: which client each inventory source belongs to, when there are several.

Ansible merges the variables of all sources, and of two clients in two ``group_vars/all`` only one is left: the hosts
of the other would silently become that client's. Runs on the control node.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.vars.manager import VariableManager

from ansible_collections.keepwell.fleet.plugins.plugin_utils import settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import plain


def refuse_two_clients(loader: t.Any, sources: Sequence[str], extra: Mapping[str, t.Any]) -> None:
    """Raise SettingsError when sources belong to different clients and ``-e keepwell_client`` is not given."""
    if len(sources) < 2 or extra.get("keepwell_client") is not None:
        return
    owners = {source: owner for source in sources if (owner := _client(loader, source)) is not None}
    if len(set(owners.values())) > 1:
        told = ", ".join(f"{source} is '{owner}'" for source, owner in owners.items())
        raise settings.SettingsError(
            [
                f"One run is for one client, but these inventories belong to several: {told}. Give one of them, or say "
                "whose they all are: set the same keepwell_client in each, or -e keepwell_client=NAME."
            ]
        )


def _client(loader: t.Any, source: str) -> str | None:
    """Return the client that a source declares for its hosts, or that its place names; None when it has no hosts."""
    try:
        inventory = InventoryManager(loader=loader, sources=[source])
        host = next(iter(inventory.get_hosts()), None)
        if host is None:
            return None
        variables = VariableManager(loader=loader, inventory=inventory).get_vars(host=host, include_hostvars=False)
    except AnsibleError as exc:
        raise settings.SettingsError([f"The inventory {source} cannot be read: {' '.join(str(exc).split())}"]) from exc
    return settings.client(plain(variables.get("keepwell_client")), [source]).id
