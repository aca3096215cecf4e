# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: in which order the modules of awx.awx are called, and with what. Pure.

What others refer to comes first; what is taken away goes in the other direction. A module's arguments are the item of
the definitions, and are compared with what ``ansible-doc`` says of the module before anything is called.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.keepwell.fleet.plugins.plugin_utils.awx.linting import place
from ansible_collections.keepwell.fleet.plugins.plugin_utils.awx.rendering import Definitions
from ansible_collections.keepwell.fleet.plugins.plugin_utils.policy import nearest

NODES = "simplified_workflow_nodes"


@dataclass(frozen=True)
class Kind:
    """A kind of object of AWX: its module of awx.awx, its place in the API, and by what it is found for removal."""

    module: str
    endpoint: str
    found_by: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """Return what people call it."""
        return self.module.replace("_", " ")


# In the order in which they are made.
KINDS: dict[str, Kind] = {
    "controller_organizations": Kind("organization", "organizations"),
    "controller_execution_environments": Kind("execution_environment", "execution_environments"),
    "controller_notifications": Kind("notification_template", "notification_templates", ("organization",)),
    "controller_projects": Kind("project", "projects", ("organization",)),
    "controller_inventories": Kind("inventory", "inventories", ("organization",)),
    "controller_inventory_sources": Kind("inventory_source", "inventory_sources", ("inventory",)),
    "controller_templates": Kind("job_template", "job_templates", ("organization",)),
    "controller_workflows": Kind("workflow_job_template", "workflow_job_templates", ("organization",)),
    "controller_schedules": Kind("schedule", "schedules", ("unified_job_template",)),
}
# An organization holds what people made in it, and the record of all jobs: it is never taken away.
REMOVED = tuple(name for name in reversed(KINDS) if name != "controller_organizations")
NODE = Kind("workflow_job_template_node", "workflow_job_template_nodes")
# The documented options of these are compared with the definitions.
MODULES = tuple(f"awx.awx.{kind.module}" for kind in (*KINDS.values(), NODE))


@dataclass(frozen=True)
class Step:
    """One call of a module of awx.awx. ``needs`` are names that it refers to."""

    kind: Kind
    title: str
    arguments: Mapping[str, t.Any]
    needs: frozenset[str] = frozenset()
    removes: bool = False

    @property
    def told(self) -> str:
        """Return the object as it is shown."""
        return f"{self.kind.words} {self.title}"


def making(definitions: Definitions) -> Iterator[Step]:
    """Yield the calls that make AWX what the definitions say, in order."""
    for name, kind in KINDS.items():
        for item in definitions.get(name, ()):
            arguments = {key: value for key, value in item.items() if key != NODES}
            # Nobody waits for AWX to fetch the project but the templates: their playbooks have to be known.
            more = {"wait": True} if kind.module == "project" else {}
            yield Step(kind, str(item["name"]), {**arguments, **more}, _references(arguments))
            yield from _nodes(item)


def _nodes(workflow: Mapping[str, t.Any]) -> Iterator[Step]:
    """Yield the nodes of a workflow, and then their links: both ends of a link have to be there.

    An approval and its links in one call is what the module cannot do.
    """
    nodes: Sequence[Mapping[str, t.Any]] = workflow.get(NODES, ())
    shared = {"workflow_job_template": workflow.get("name"), "organization": workflow.get("organization")}
    for node in nodes:
        content = {key: value for key, value in node.items() if not key.endswith("_nodes")}
        if "unified_job_template" in content:
            content["lookup_organization"] = workflow.get("organization")
        yield _node(workflow, node, {**shared, **content})
    for node in nodes:
        links = {key: list(value) for key, value in node.items() if key.endswith("_nodes")}
        if links:
            ends = [node["identifier"], *(name for names in links.values() for name in names)]
            needs = [f"{workflow['name']}: {name}" for name in ends]
            yield _node(workflow, node, {**shared, "identifier": node["identifier"], **links}, " (what follows)", needs)


def _node(
    workflow: Mapping[str, t.Any],
    node: Mapping[str, t.Any],
    arguments: Mapping[str, t.Any],
    part: str = "",
    needs: Sequence[str] = (),
) -> Step:
    title = f"{workflow['name']}: {node['identifier']}{part}"
    return Step(NODE, title, arguments, _references(arguments) | {str(workflow["name"]), *needs})


def _references(arguments: Mapping[str, t.Any]) -> frozenset[str]:
    """Return the names of other objects in a module's arguments."""
    singles = (
        "organization",
        "project",
        "source_project",
        "inventory",
        "execution_environment",
        "unified_job_template",
    )
    found = {str(arguments[key]) for key in singles if arguments.get(key)}
    return frozenset(found | {str(name) for name in arguments.get("notification_templates_error") or ()})


def strays(definitions: Definitions, owned: Mapping[str, Sequence[Mapping[str, t.Any]]]) -> Iterator[Step]:
    """Yield the calls that take away what is ours and is not in the definitions.

    ``owned`` has, by kind, what AWX has with our mark: its API's objects, with ``name`` and ``summary_fields``.
    """
    for name in REMOVED:
        kind = KINDS[name]
        wanted = {str(item["name"]) for item in definitions.get(name, ())}
        for found in owned.get(name, ()):
            if str(found["name"]) in wanted:
                continue
            where = {key: (found.get("summary_fields") or {}).get(key, {}).get("name") for key in kind.found_by}
            arguments = {
                "name": found["name"],
                **{key: value for key, value in where.items() if value},
                "state": "absent",
            }
            yield Step(kind, str(found["name"]), arguments, removes=True)


def lint(definitions: Definitions, documented: Mapping[str, Mapping[str, t.Any]]) -> Iterator[str]:
    """Yield what the modules would refuse: a field that they do not have, a wrong type, a value that is not allowed.

    ``documented`` has the options of each module, as ``ansible-doc --json`` gives them.
    """
    for name, kind in KINDS.items():
        for item in definitions.get(name, ()):
            arguments = {key: value for key, value in item.items() if key != NODES}
            yield from _against(place(name, item), arguments, f"awx.awx.{kind.module}", documented)
            for node in item.get(NODES, ()):
                where = place(name, item, f"{NODES}[{node.get('identifier')}]")
                given = {**node, "workflow_job_template": item.get("name")}
                yield from _against(where, given, f"awx.awx.{NODE.module}", documented)


def _against(
    where: str, arguments: Mapping[str, t.Any], module: str, documented: Mapping[str, Mapping[str, t.Any]]
) -> Iterator[str]:
    options = documented[module]
    for key in arguments:
        if key not in options:
            yield f"{where}.{key}: {module} has no such field.{nearest(key, options)}"
    known = {key: value for key, value in arguments.items() if key in options}
    for message in ArgumentSpecValidator(_specification(options)).validate(known).error_messages:
        yield f"{where}: {module} refuses it: {message}."


def _specification(options: Mapping[str, Mapping[str, t.Any]]) -> dict[str, t.Any]:
    kept = ("type", "elements", "choices", "required")
    return {name: {key: option[key] for key in kept if key in option} for name, option in options.items()}
