# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: everything that can be wrong in a client's files, found before the first connection.

Every mistake at once, each with its file, what is wrong, what is allowed and the nearest match. Runs on the control
node and contacts no host.
"""

from __future__ import annotations

import contextlib
import fnmatch
import os
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import yaml

from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import choosing, options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.registry import CHORES, Variables
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import named, plain
from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery import receivers
from ansible_collections.keepwell.fleet.plugins.plugin_utils.exceptions import Waiver
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.calendar import ANY_WINDOW
from ansible_collections.keepwell.fleet.plugins.plugin_utils.plan import Contract, build
from ansible_collections.keepwell.fleet.plugins.plugin_utils.policy import nearest
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule import model as schedules
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule import options as scheduler
from ansible_collections.keepwell.fleet.plugins.plugin_utils.settings import Settings, SettingsError, read
from ansible_collections.keepwell.fleet.plugins.plugin_utils.variable_places import Places

_CONNECTION = {"ansible_connection": "ssh", "ansible_host": "", "ansible_port": "22"}
# Behind an address of the control node itself is a tunnel, or a lab: it says nothing of the machine.
_OWN = ("127.", "localhost", "::1")

_ROLES = {**CHORES, scheduler.NAME: Variables(scheduler.Options, scheduler.REGISTERED)}


@dataclass
class Findings:
    """What was found. ``mistakes`` stop a run, ``warnings`` do not; ``told`` are the hosts that were understood.

    ``chores`` are the options of each host by chore, ``wishes`` what its ``maintain_act`` says. ``services`` are those
    that some host of the inventory has in its plan, whether it was asked for or not.
    """

    mistakes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    told: dict[str, Settings] = field(default_factory=dict)
    chores: dict[str, dict[str, options.Options]] = field(default_factory=dict)
    wishes: dict[str, choosing.Wish] = field(default_factory=dict)
    services: set[str] = field(default_factory=set)

    def refuse(self) -> None:
        """Raise SettingsError with every mistake, when there is one."""
        if self.mistakes:
            raise SettingsError(self.mistakes)


def look(task_vars: Mapping[str, t.Any], sources: Sequence[str], hosts: Sequence[str], now: float) -> Findings:
    """Return what is wrong with the variables of these hosts, and with the client as a whole."""
    found = Findings()
    places = Places(sources)
    known_groups = {str(group) for group in task_vars["groups"]}
    by_problem: dict[str, list[str]] = {}
    for host in hosts:
        variables = task_vars["hostvars"][host]
        groups = [str(group) for group in plain(variables.get("group_names") or [])]
        problems: list[str] = []
        try:
            told = _values(variables, "keepwell_")
            found.told[host] = read(told, sources, now, groups, known_groups)
        except SettingsError as exc:
            problems += exc.problems
        for name, role in _ROLES.items():
            try:
                given = _values(variables, f"{name}_", role.registered)
                chosen = options.read(name, role.model, given)
                if isinstance(chosen, options.Options):
                    found.chores.setdefault(host, {})[name] = chosen
            except SettingsError as exc:
                problems += exc.problems
        try:
            found.wishes[host] = choosing.read(_values(variables, choosing.PREFIX, choosing.REGISTERED))
        except SettingsError as exc:
            problems += exc.problems
        problems += _torn(host, groups, places)
        for problem in problems:
            by_problem.setdefault(problem, []).append(host)
    for problem, whose in by_problem.items():
        place = places.tell(problem)
        found.mistakes.append(f"{place + ': ' if place else ''}{problem} [{some(whose)}]")
    found.mistakes += [*_clients(found.told), *_twice(task_vars, hosts), *_for_ever(found.told, places)]
    found.mistakes += _several_receivers(found.told)
    contract = next(iter(found.told.values())).contract if found.told else Contract()
    everyone = sorted(str(host) for host in task_vars["groups"]["all"])
    found.mistakes += _too_many(contract, everyone)
    found.mistakes += _no_such_window(found.told)
    found.mistakes += _kept_in_awx(found.told, places)
    found.services = _services(task_vars, everyone, found.told)
    found.mistakes += _scheduled(found.told, found.services, [*everyone, *sorted(known_groups)], places)
    found.warnings += sorted({sentence for entry in found.told.values() if (sentence := entry.unsigned(now))})
    found.warnings += [*_contract_gaps(contract, everyone), *_exceptions(found.told, everyone, known_groups, now)]
    if found.told:
        found.warnings += [*next(iter(found.told.values())).notify.warnings(), *_in_clear(places)]
    return found


def _values(variables: t.Any, prefix: str, left_out: t.Collection[str] = ()) -> dict[str, t.Any]:
    names = [str(name) for name in variables if str(name).startswith(prefix) and str(name) not in left_out]
    return {name: named(name, variables.__getitem__) for name in names}


def _clients(told: Mapping[str, Settings]) -> list[str]:
    clients = sorted({entry.client.id for entry in told.values()})
    if len(clients) < 2:
        return []
    return [f"One run is for one client, but these hosts belong to several: {', '.join(clients)}."]


def _several_receivers(told: Mapping[str, Settings]) -> list[str]:
    """A run is told once, for the whole client: receivers of a single host would be told of all of them."""
    first = next(iter(told.values()), None)
    other = next((host for host, entry in told.items() if first and entry.notify != first.notify), None)
    if other is None:
        return []
    return [
        f"keepwell_notify and keepwell_smtp are those of the client, but {other} has others than "
        f"{next(iter(told))}: set them once, in group_vars/all."
    ]


def _in_clear(places: Places) -> list[str]:
    """Secrets that stand in a file as they are: whoever reads the inventory, or its repository, has them."""
    return [
        f"{os.path.relpath(place.file)}:{line}: {name}{key} stands there in clear. Encrypt it: "
        "ansible-vault encrypt_string."
        for name in ("keepwell_smtp", "keepwell_notify")
        for place in places.of(name)
        for key, line in _clear_secrets(place.node)
    ]


def _clear_secrets(node: yaml.Node, path: str = "") -> list[tuple[str, int]]:
    """Return path and line of the secrets in a value that are neither encrypted nor taken from another variable."""
    if not isinstance(node, yaml.MappingNode):
        return []
    found = []
    for key, value in node.value:
        name = str(key.value)
        if name in receivers.SECRETS and isinstance(value, yaml.ScalarNode):
            if value.tag != "!vault" and value.value and "{{" not in value.value:
                found.append((f"{path}.{name}", value.start_mark.line + 1))
        else:
            found += _clear_secrets(value, f"{path}.{name}")
    return found


def _twice(task_vars: Mapping[str, t.Any], hosts: Sequence[str]) -> list[str]:
    """Two names for one machine: it would be counted, and worked on, twice."""
    machines: dict[tuple[str, str], list[str]] = {}
    for host in hosts:
        variables = task_vars["hostvars"][host]
        try:
            kind, address, port = (_connection(variables, name) or default for name, default in _CONNECTION.items())
        except SettingsError:
            continue
        if kind != "local" and not address.startswith(_OWN):
            machines.setdefault((address or host, port), []).append(host)
    return [
        f"{' and '.join(names)} are the same machine ({address}, port {port}): give it one name."
        for (address, port), names in machines.items()
        if len(names) > 1
    ]


def _connection(variables: t.Any, name: str) -> str:
    """Return how a host is reached, "" when that is not said."""
    return str(named(name, variables.get) or "")


def _torn(host: str, groups: Sequence[str], places: Places) -> list[str]:
    """A host whose groups put it into different rings: which of them wins is an accident of their names."""
    rings = {
        place.owner: str(getattr(place.node, "value", ""))
        for place in places.of("patching_ring")
        if place.kind == "group" and place.owner in groups
    }
    own = any(place.kind == "host" and place.owner == host for place in places.of("patching_ring"))
    if own or len(set(rings.values())) < 2:
        return []
    told = ", ".join(f"{group} says {ring}" for group, ring in sorted(rings.items()))
    return [f"patching_ring: groups of this host disagree: {told}. Set it for the host itself, or in one of them."]


def _for_ever(told: Mapping[str, Settings], places: Places) -> list[str]:
    """An emergency that a file declares would open every window in every run."""
    if not any(entry.calendar.emergency_by for entry in told.values()):
        return []
    name = "keepwell_emergency_approver"
    return [
        f"{places.tell(name)}: {name}: an emergency is for one run: give it on the command line (-e), not in a file."
        for _place in places.of(name)[:1]
    ]


def _services(task_vars: Mapping[str, t.Any], everyone: Sequence[str], told: Mapping[str, Settings]) -> set[str]:
    """Return the services that some host has; of hosts that were not asked for what their plan alone says."""
    found: set[str] = set()
    for host in everyone:
        bought = told[host].plan if host in told else None
        if host not in told:
            variables = task_vars["hostvars"][host]
            # What is wrong with it is told when the host is asked for.
            with contextlib.suppress(SettingsError):
                bought, _wrong = build(*(named(name, variables.get) for name in ("keepwell_plan", "keepwell_tiers")))
        found.update(bought.services if bought else ())
    return found


def _scheduled(
    told: Mapping[str, Settings], services: t.Collection[str], known: Sequence[str], places: Places
) -> list[str]:
    """Return what no single host knows of the schedule: it is the client's, for what its hosts bought."""
    declared: dict[str, list[str]] = {}
    for host, entry in told.items():
        declared.setdefault(repr(entry.schedule), []).append(host)
    if not declared:
        return []
    if len(declared) > 1:
        problems = ["keepwell_schedule: hosts disagree, but it is the client's: say it once, in group_vars/all."]
    else:
        schedule = next(iter(told.values())).schedule
        problems = [*schedules.bought(schedule, services), *schedules.lost(schedule, known)]
    return [f"{places.tell(problem)}: {problem}".removeprefix(": ") for problem in problems]


def _no_such_window(told: Mapping[str, Settings]) -> list[str]:
    """A run for a window that nobody has would do nothing, and say nothing of it."""
    only = next((entry.calendar.only for entry in told.values() if entry.calendar.only), "")
    declared = sorted({name for entry in told.values() for name in entry.calendar.declared})
    if not only or only in declared:
        return []
    return [f"keepwell_window: no host here has a window '{only}'.{nearest(only, [ANY_WINDOW, *declared])}"]


def _kept_in_awx(told: Mapping[str, Settings], places: Places) -> list[str]:
    if len({repr(entry.awx) for entry in told.values()}) < 2:
        return []
    problem = "keepwell_awx: hosts disagree, but it is the client's: say it once, in group_vars/all."
    return [f"{places.tell(problem)}: {problem}".removeprefix(": ")]


def _too_many(contract: Contract, everyone: Sequence[str]) -> list[str]:
    if contract.max_hosts is None or len(everyone) <= contract.max_hosts:
        return []
    return [
        f"keepwell_contract.max_hosts: the inventory has {len(everyone)} hosts, and {contract.max_hosts} are under "
        "contract. Take hosts out, or change the contract."
    ]


def _contract_gaps(contract: Contract, everyone: Sequence[str]) -> list[str]:
    if not contract.hosts:
        return []
    lost = sorted(set(contract.hosts) - set(everyone))
    more = sorted(set(everyone) - set(contract.hosts))
    return [
        *([f"In the contract and not in the inventory, so unknown: {some(lost)}."] if lost else []),
        *([f"In the inventory and not in the contract, so not covered: {some(more)}."] if more else []),
    ]


def _exceptions(
    told: Mapping[str, Settings], everyone: Sequence[str], groups: t.Collection[str], now: float
) -> list[str]:
    """Exceptions that count no more, and those that are for nobody."""
    waivers: dict[Waiver, None] = {}
    for entry in told.values():
        waivers.update(dict.fromkeys(entry.waivers))
    texts = []
    for waiver in waivers:
        what = f"{waiver.check} ({waiver.reason})"
        if waiver.expired(now):
            texts.append(f"The exception for {what} expired on {waiver.expires}: its finding counts again.")
        for pattern in waiver.hosts:
            if not fnmatch.filter([*everyone, *groups], pattern):
                texts.append(f"The exception for {what} names '{pattern}', which is no host or group here.")
    return texts


def some(hosts: Sequence[str]) -> str:
    """Return the first names of a list, and how many more there are."""
    shown = ", ".join(hosts[:3])
    return shown if len(hosts) <= 3 else f"{shown} and {len(hosts) - 3} more hosts"
