# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: which client each inventory source belongs to, so that no run is about two of them.

Ansible merges the variables of all sources, and of two clients in two ``group_vars/all`` only one is left: the hosts
of the other would silently become that client's. Of a folder that holds the folders of several clients it takes all
hosts and none of their variables. Runs on the control node.
"""

from __future__ import annotations

import os
import typing as t
from collections.abc import Iterator, Mapping, Sequence

import yaml
from ansible.errors import AnsibleError
from ansible.inventory.manager import IGNORED, InventoryManager
from ansible.utils.vars import load_extra_vars
from ansible.vars.manager import VariableManager

from ansible_collections.keepwell.fleet.plugins.plugin_utils import settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import inventory, plain
from ansible_collections.keepwell.fleet.plugins.plugin_utils.variable_places import Places

_CLIENT = "keepwell_client"
_VARIABLES = ("group_vars", "host_vars")
_SEVERAL = "One run is for one client, but these inventories belong to several"


class _Owner(t.NamedTuple):
    """The client of a source: the one that it declares, or else the one that its place names."""

    client: str
    declared: bool


def one_client(loader: t.Any, task_vars: Mapping[str, t.Any]) -> None:
    """Raise SettingsError when the sources of this playbook are not those of one client, or its clock is made up."""
    refuse_two_clients(loader, inventory(task_vars), load_extra_vars(loader))


def refuse_two_clients(loader: t.Any, sources: Sequence[str], extra: Mapping[str, t.Any]) -> None:
    """Raise SettingsError when hosts of different clients would be in one run, or the command makes up its time.

    ``-e keepwell_client`` says whose inventories are that name no client themselves; it overrules none that does.
    """
    refuse_a_borrowed_clock(extra)
    problems = [problem for source in sources for problem in (*_list_of_places(source), *_folder_of_clients(source))]
    if problems:
        raise settings.SettingsError(problems)
    given = plain(extra.get(_CLIENT))
    if len(sources) < 2 and given is None:
        return
    owners = {source: owner for source in sources if (owner := _owner(loader, source)) is not None}
    declared = {source: owner.client for source, owner in owners.items() if owner.declared}
    if len(set(declared.values())) > 1:
        raise settings.SettingsError([f"{_SEVERAL}: {_told(declared)}. Give one of them."])
    if given is not None:
        asked = settings.client(given, sources).id
        other = {source: client for source, client in declared.items() if client != asked}
        if other:
            raise settings.SettingsError(
                [f"-e keepwell_client says '{asked}', but {_told(other)}. Leave it out, or give its inventory."]
            )
        return
    named = {source: owner.client for source, owner in owners.items()}
    if len(set(named.values())) > 1:
        raise settings.SettingsError(
            [
                f"{_SEVERAL}: {_told(named)}. Give one of them, or say whose they all are: set the same "
                "keepwell_client in each."
            ]
        )


def refuse_a_borrowed_clock(extra: Mapping[str, t.Any]) -> None:
    """Raise SettingsError for ``-e keepwell_lab``: with a time of one's own every maintenance window is open."""
    if extra.get("keepwell_lab") is not None:
        raise settings.SettingsError(
            ["keepwell_lab: whether hosts are a test fleet says their inventory, not the command line. Leave it out."]
        )


def _told(owners: Mapping[str, str]) -> str:
    return ", ".join(f"{source} is '{client}'" for source, client in owners.items())


def _list_of_places(source: str) -> Iterator[str]:
    """Yield a sentence for ``-i acme,beta``: to Ansible these are names of hosts."""
    if "," not in source or os.path.exists(source):
        return
    for part in filter(None, map(str.strip, source.split(","))):
        if os.path.isdir(part) or (os.sep in part and os.path.exists(part)):
            yield (
                f"-i {source}: with a comma these are names of hosts, and {part} is an inventory. Give the inventory "
                "of one client alone; several of one client each with an -i of their own."
            )
            return


def _folder_of_clients(source: str) -> Iterator[str]:
    """Yield a sentence for a folder in which the inventories of clients lie, given in the place of one of them."""
    if not os.path.isdir(source):
        return
    below = list(_folders(source))
    own = [folder for folder in below if any(os.path.isdir(os.path.join(folder, name)) for name in _VARIABLES)]
    bare = not any(os.path.isfile(os.path.join(source, name)) for name in _entries(source))
    if not own and bare and not any(os.path.isdir(os.path.join(source, name)) for name in _VARIABLES):
        tops = [folder for folder in below if os.path.dirname(folder) == source.rstrip(os.sep)]
        own = tops if len(tops) > 1 else []
    if own:
        yield (
            f"{source} is no inventory: it holds others ({', '.join(map(os.path.basename, own[:5]))}), of which "
            f"Ansible would take the hosts and leave their variables. Give one of them: -i {own[0]}."
        )
        return
    if len(_entries(source)) < 2:
        return
    clients = sorted({client for place in Places([source, *below]).of(_CLIENT) if (client := _id(place.node))})
    if len(clients) > 1:
        yield (
            f"One run is for one client, but files of {source} belong to several: {', '.join(clients)}. Give the file "
            "or folder of one of them."
        )


def _entries(folder: str) -> list[str]:
    """Names in a folder that Ansible takes for inventories."""
    return sorted(name for name in os.listdir(folder) if not IGNORED.search(os.fsencode(name)))


def _folders(source: str) -> Iterator[str]:
    for name in _entries(source):
        path = os.path.join(source, name)
        if os.path.isdir(path):
            yield path
            yield from _folders(path)


def _id(node: yaml.Node) -> str:
    """Return the client that a value of keepwell_client names, "" for none."""
    if isinstance(node, yaml.MappingNode):
        return next((_id(value) for key, value in node.value if str(key.value) == "id"), "")
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""


def _owner(loader: t.Any, source: str) -> _Owner | None:
    """Return whose a source is; None when it has no hosts."""
    try:
        alone = InventoryManager(loader=loader, sources=[source])
        host = next(iter(alone.get_hosts()), None)
        if host is None:
            return None
        manager = VariableManager(loader=loader, inventory=alone)
        # What the source itself says: -e would have the last word, and there is no public way to leave it out.
        manager._extra_vars = {}
        variables = manager.get_vars(host=host, include_hostvars=False)
    except AnsibleError as exc:
        raise settings.SettingsError([f"The inventory {source} cannot be read: {' '.join(str(exc).split())}"]) from exc
    declared = plain(variables.get(_CLIENT))
    return _Owner(settings.client(declared, [source]).id, declared is not None)
