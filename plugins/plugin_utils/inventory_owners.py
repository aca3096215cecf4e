# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: whose an inventory source, or each file of a folder, says that its hosts are.

Asks Ansible itself, so that INI files, scripts and plugins count as YAML does. Runs on the control node.
"""

from __future__ import annotations

import os
import typing as t
from collections.abc import Iterator, Mapping, Sequence

from ansible.errors import AnsibleError
from ansible.inventory.host import Host
from ansible.inventory.manager import IGNORED, InventoryManager
from ansible.template import Templar
from ansible.vars.manager import VariableManager

from ansible_collections.keepwell.fleet.plugins.plugin_utils import settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import named, plain
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Client

CLIENT = "keepwell_client"


class Owner(t.NamedTuple):
    """The client of a source: the one that it declares, or else the one that its place names."""

    client: Client
    declared: bool


class Said(t.NamedTuple):
    """What a file of a folder adds to it: hosts that no file before it has, and ids of clients that it declares."""

    path: str
    hosts: bool
    clients: set[str]


def given(loader: t.Any, extra: Mapping[str, t.Any], sources: Sequence[str]) -> Client | None:
    """Return the client of ``-e keepwell_client``, None without it."""
    if extra.get(CLIENT) is None:
        return None
    templar = Templar(loader=loader, variables=dict(extra))
    return settings.client(named(CLIENT, lambda name: templar.template(extra[name])), sources)


def of_source(loader: t.Any, source: str) -> Owner | None:
    """Return whose a source is; None when it has no hosts. Raises SettingsError when it cannot be read."""
    try:
        alone = InventoryManager(loader=loader, sources=[source])
        host = next(iter(alone.get_hosts()), None)
        if host is None:
            return None
        variables = _variables(loader, alone, host)
    except AnsibleError as exc:
        raise settings.SettingsError([f"The inventory {source} cannot be read: {' '.join(str(exc).split())}"]) from exc
    declared = _templated(loader, variables.get(CLIENT), variables)
    return Owner(settings.client(declared, [source]), declared is not None)


def of_files(loader: t.Any, folder: str) -> Iterator[Said]:
    """Yield what each file of a folder says, in the order in which Ansible reads them.

    They are read into one inventory, as Ansible does it: one file may have variables for a group of another. Of two
    that declare a client for the same group only the last would be left, so each is asked before the next is read.
    """
    files = list(_files(folder))
    if len(files) < 2:
        return
    whole = InventoryManager(loader=loader, sources=[folder], parse=False)
    for path in files:
        known = len(whole.hosts)
        try:
            whole.parse_source(path, cache=True)
        except AnsibleError as exc:
            raise settings.SettingsError(
                [f"The inventory {path} cannot be read: {' '.join(str(exc).split())}"]
            ) from exc
        values = [
            (holder, holder.vars.pop(CLIENT))
            for holder in (*whole.groups.values(), *whole.hosts.values())
            if CLIENT in holder.vars
        ]
        clients = {client for holder, value in values for client in _ids(loader, whole, holder, value)}
        yield Said(path, len(whole.hosts) > known, clients)


def entries(folder: str) -> list[str]:
    """Return the names in a folder that Ansible takes for inventories."""
    return sorted(name for name in os.listdir(folder) if not IGNORED.search(os.fsencode(name)))


def name_of(value: t.Any) -> str:
    """Return the id in a value of keepwell_client as it stands there, "" for none or one that is not known yet."""
    found = value.get("id") if isinstance(value, Mapping) else value
    return found if isinstance(found, str) and "{{" not in found else ""


def _files(folder: str) -> Iterator[str]:
    for name in entries(folder):
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            yield from _files(path)
        else:
            yield path


def _ids(loader: t.Any, whole: InventoryManager, holder: t.Any, value: t.Any) -> Iterator[str]:
    if name_of(value):
        yield name_of(plain(value))
        return
    if isinstance(holder, Host):
        hosts = [holder]
    else:
        # Which groups are below "all" is only settled when everything has been read.
        hosts = list(whole.hosts.values()) if holder.name == "all" else holder.get_hosts()
    for host in hosts:
        if name := name_of(_templated(loader, value, _variables(loader, whole, host))):
            yield name


def _variables(loader: t.Any, read: InventoryManager, host: Host) -> dict[str, t.Any]:
    manager = VariableManager(loader=loader, inventory=read)
    # What the inventory itself says: -e would have the last word, and there is no public way to leave one out.
    manager._extra_vars = {name: value for name, value in manager._extra_vars.items() if name != CLIENT}
    return dict(manager.get_vars(host=host, include_hostvars=False))


def _templated(loader: t.Any, value: t.Any, variables: dict[str, t.Any]) -> t.Any:
    """Return a value of keepwell_client with its templates filled in, None when that needs more than is known here."""
    try:
        return plain(Templar(loader=loader, variables=variables).template(value))
    except AnsibleError:
        return None
