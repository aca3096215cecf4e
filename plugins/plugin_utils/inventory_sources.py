# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: which client each inventory source belongs to, so that no run is about two of them.

Ansible merges the variables of all sources, and of two clients in two ``group_vars/all`` only one is left: the hosts
of the other would silently become that client's. Of a folder that holds the folders of several clients it takes all
hosts and none of their variables. Runs on the control node.
"""

from __future__ import annotations

import json
import os
import shlex
import typing as t
from collections.abc import Iterator, Mapping, Sequence

import yaml
from ansible.utils.vars import load_extra_vars

from ansible_collections.keepwell.fleet.plugins.plugin_utils import inventory_owners as owners
from ansible_collections.keepwell.fleet.plugins.plugin_utils import settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import inventory
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Client
from ansible_collections.keepwell.fleet.plugins.plugin_utils.variable_places import Places

_VARIABLES = ("group_vars", "host_vars")
_SEVERAL = "One run is for one client, but these inventories belong to several"


def one_client(loader: t.Any, task_vars: Mapping[str, t.Any]) -> None:
    """Raise SettingsError when the sources of this playbook are not those of one client, or its clock is made up."""
    refuse_two_clients(loader, inventory(task_vars), load_extra_vars(loader))


def refuse_two_clients(loader: t.Any, sources: Sequence[str], extra: Mapping[str, t.Any]) -> None:
    """Raise SettingsError when hosts of different clients would be in one run, or the command makes up its time.

    ``-e keepwell_client`` says whose inventories are that name no client themselves; it overrules none that does.
    """
    refuse_a_borrowed_clock(extra)
    given = owners.given(loader, extra, sources)
    problems = [
        problem
        for source in sources
        for problem in (*_list_of_places(source), *_folder_of_clients(loader, source, given))
    ]
    if problems:
        raise settings.SettingsError(problems)
    if len(sources) < 2 and given is None:
        return
    found = {source: owner for source in sources if (owner := owners.of_source(loader, source)) is not None}
    declared = {source: owner.client for source, owner in found.items() if owner.declared}
    if len({client.id for client in declared.values()}) > 1:
        raise settings.SettingsError([f"{_SEVERAL}: {_told(declared)}. Give one of them."])
    if given is not None:
        _refuse_to_overrule(given, declared)
        return
    named = {source: owner.client for source, owner in found.items()}
    if len({client.id for client in named.values()}) > 1:
        said = _argument(next(iter(declared.values()))) if declared else "keepwell_client=NAME"
        raise settings.SettingsError(
            [
                f"{_SEVERAL}: {_told(named)}. Give one of them, or say whose they all are: set the same "
                f"keepwell_client in each, or -e {said}."
            ]
        )


def refuse_a_borrowed_clock(extra: Mapping[str, t.Any]) -> None:
    """Raise SettingsError for ``-e keepwell_lab``: with a time of one's own every maintenance window is open."""
    if extra.get("keepwell_lab") is not None:
        raise settings.SettingsError(
            ["keepwell_lab: whether hosts are a test fleet says their inventory, not the command line. Leave it out."]
        )


def _refuse_to_overrule(given: Client, declared: Mapping[str, Client]) -> None:
    """Raise SettingsError when -e keepwell_client is not what a source declares: it would replace all of it."""
    other = {source: client for source, client in declared.items() if client.id != given.id}
    if other:
        raise settings.SettingsError(
            [f"-e keepwell_client says '{given.id}', but {_told(other)}. Leave it out, or give its inventory."]
        )
    for source, client in declared.items():
        before, after = client.model_dump(), given.model_dump()
        changes = [f"{key} '{before[key]}' would become '{after[key]}'" for key in before if before[key] != after[key]]
        if changes:
            raise settings.SettingsError(
                [
                    f"-e keepwell_client replaces all that {source} says of its client: {', '.join(changes)}. Leave it "
                    f"out, or give the same: -e {_argument(client)}."
                ]
            )


def _argument(client: Client) -> str:
    """Return what to give to -e so that a client is exactly this one."""
    if client == settings.client(client.id, []):
        return f"keepwell_client={client.id}"
    told = json.dumps({owners.CLIENT: client.model_dump(exclude_defaults=True)}, ensure_ascii=False)
    return shlex.quote(told)


def _told(clients: Mapping[str, Client]) -> str:
    return ", ".join(f"{source} is '{client.id}'" for source, client in clients.items())


def _list_of_places(source: str) -> Iterator[str]:
    """Yield a sentence for ``-i acme,beta``: to Ansible these are names of hosts."""
    if "," not in source or os.path.exists(source):
        return
    for part in filter(None, map(str.strip, source.split(","))):
        if (os.sep in part and os.path.exists(part)) or _is_inventory(part):
            yield (
                f"-i {source}: with a comma these are names of hosts, and {part} is an inventory. Give the inventory "
                "of one client alone; several of one client each with an -i of their own."
            )
            return


def _is_inventory(folder: str) -> bool:
    """Return whether a folder looks like one; a host may well be called as some other folder here is."""
    if not os.path.isdir(folder):
        return False
    return any(name in _VARIABLES or os.path.splitext(name)[0] == "hosts" for name in os.listdir(folder))


def _folder_of_clients(loader: t.Any, source: str, given: Client | None) -> Iterator[str]:
    """Yield a sentence for a folder with the inventories of several clients, given in the place of one of them."""
    if not os.path.isdir(source):
        return
    own = [folder for folder in _folders(source) if _has_variables(folder)]
    if own:
        yield (
            f"{source} is no inventory: it holds others ({', '.join(map(os.path.basename, own[:5]))}), of which "
            f"Ansible would take the hosts and leave their variables. Give one of them: -i {own[0]}."
        )
        return
    said = list(owners.of_files(loader, source))
    if not said:
        return
    below = {name for place in Places([source], owners.CLIENT).of(owners.CLIENT) if (name := _id(place.node))}
    clients = sorted(below.union(*(entry.clients for entry in said)))
    if len(clients) > 1:
        yield (
            f"One run is for one client, but files of {source} belong to several: {', '.join(clients)}. Give the file "
            "or folder of one of them."
        )
        return
    if given is not None:
        if clients and clients != [given.id]:
            yield f"-e keepwell_client says '{given.id}', but files of {source} belong to '{clients[0]}'. Leave it out."
        return
    yield from _folders_without_a_name(source, said)


def _folders_without_a_name(source: str, said: Sequence[owners.Said]) -> Iterator[str]:
    """Yield a sentence for a folder with nothing but folders, not all of which say whose their hosts are."""
    if _has_variables(source) or any(os.path.isfile(os.path.join(source, name)) for name in owners.entries(source)):
        return
    tops: dict[str, set[str]] = {}
    for entry in said:
        top = os.path.join(source, os.path.relpath(entry.path, source).split(os.sep)[0])
        if entry.hosts or top in tops:
            tops.setdefault(top, set()).update(entry.clients)
    if len(tops) > 1 and not all(tops.values()):
        found = list(tops)
        yield (
            f"{source} holds the inventories {', '.join(map(os.path.basename, found[:5]))}, which do not say that they "
            f"are one client's. Give one of them: -i {found[0]}. Or say whose they all are: set the same "
            "keepwell_client in each, or -e keepwell_client=NAME."
        )


def _has_variables(folder: str) -> bool:
    return any(os.path.isdir(os.path.join(folder, name)) for name in _VARIABLES)


def _folders(source: str) -> Iterator[str]:
    for name in owners.entries(source):
        path = os.path.join(source, name)
        if os.path.isdir(path):
            yield path
            yield from _folders(path)


def _id(node: yaml.Node) -> str:
    """Return the client that a value of keepwell_client in a file names, "" for none."""
    if isinstance(node, yaml.MappingNode):
        return next((_id(value) for key, value in node.value if str(key.value) == "id"), "")
    return owners.name_of(str(node.value)) if isinstance(node, yaml.ScalarNode) else ""
