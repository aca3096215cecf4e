# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what is wrong in definitions for AWX, found before AWX is asked. Pure.

What AWX refuses, and what it takes in silence although it goes wrong later. Every sentence begins with the place:
``controller_templates[<name>].<field>``.
"""

from __future__ import annotations

import datetime
import typing as t
from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.awx import rrules, surveys
from ansible_collections.keepwell.fleet.plugins.plugin_utils.awx.rendering import Definitions
from ansible_collections.keepwell.fleet.plugins.plugin_utils.policy import nearest

Item = Mapping[str, t.Any]
LONGEST_NAME = 512
# What a schedule or a workflow node may say only where its template asks for it on launch.
PROMPTS = {
    "limit": "ask_limit_on_launch",
    "timeout": "ask_timeout_on_launch",
    "job_tags": "ask_tags_on_launch",
    "skip_tags": "ask_skip_tags_on_launch",
    "job_type": "ask_job_type_on_launch",
    "verbosity": "ask_verbosity_on_launch",
    "inventory": "ask_inventory_on_launch",
    "scm_branch": "ask_scm_branch_on_launch",
    "forks": "ask_forks_on_launch",
    "job_slice_count": "ask_job_slice_count_on_launch",
    "execution_environment": "ask_execution_environment_on_launch",
}
# All of these are looked up by name together: two with one name, and AWX's modules find neither.
_STARTED = ("controller_projects", "controller_inventory_sources", "controller_templates", "controller_workflows")


def lint(definitions: Definitions, playbooks: Collection[str], now: datetime.datetime) -> list[str]:
    """Return every mistake as a sentence. ``playbooks`` are those of the project, as paths within it."""
    return [
        *_names(definitions),
        *_projects(definitions),
        *_templates(definitions, playbooks),
        *_workflows(definitions),
        *_schedules(definitions, now),
    ]


def place(kind: str, item: Item, field: str = "") -> str:
    """Return where a sentence is about."""
    return f"{kind}[{item.get('name') or '?'}]{'.' + field if field else ''}"


def _names(definitions: Definitions) -> Iterator[str]:
    for kind, items in definitions.items():
        for item in items:
            if not item.get("name"):
                yield f"{place(kind, item, 'name')}: it has to be said."
            elif len(str(item["name"])) > LONGEST_NAME:
                yield f"{place(kind, item, 'name')}: it has more than {LONGEST_NAME} characters."
        for name, count in Counter(str(item.get("name")) for item in items).items():
            if count > 1:
                yield f"{kind}[{name}]: there are {count} of that name."
    started = Counter(str(item.get("name")) for kind in _STARTED for item in definitions.get(kind, ()))
    own = Counter(name for kind in _STARTED for name in {str(item.get("name")) for item in definitions.get(kind, ())})
    for name, count in own.items():
        if count > 1 and started[name] > 1:
            yield f"'{name}' names several of projects, inventory sources, templates and workflows: none is found."


def _projects(definitions: Definitions) -> Iterator[str]:
    for item in definitions.get("controller_projects", ()):
        if item.get("allow_override"):
            where = place("controller_projects", item, "allow_override")
            yield f"{where}: with it AWX takes templates whose playbook is not there. Leave it false."


def _templates(definitions: Definitions, playbooks: Collection[str]) -> Iterator[str]:
    for item in definitions.get("controller_templates", ()):
        kind = "controller_templates"
        if item.get("playbook") not in playbooks:
            hint = nearest(str(item.get("playbook")), playbooks)
            yield f"{place(kind, item, 'playbook')}: the project has no {item.get('playbook')}.{hint}"
        slices = item.get("job_slice_count", 1)
        if not isinstance(slices, int) or slices < 1:
            yield f"{place(kind, item, 'job_slice_count')}: {slices} should be 1 or more."
        elif slices > 1 and (item.get("limit") or item.get("ask_limit_on_launch")):
            yield (
                f"{place(kind, item, 'job_slice_count')}: slices and a limit do not go together: a slice without a "
                "host of the limit fails, and the job with it."
            )
        if not item.get("inventory") and not item.get("ask_inventory_on_launch"):
            yield f"{place(kind, item, 'inventory')}: it has to be said, or asked for on launch."
        yield from _survey(kind, item)


def _survey(kind: str, item: Item) -> Iterator[str]:
    if item.get("survey_enabled"):
        for problem in surveys.lint(item.get("survey_spec")):
            yield f"{place(kind, item, 'survey_spec')}: {problem}."


def _workflows(definitions: Definitions) -> Iterator[str]:
    known = {str(item.get("name")) for kind in _STARTED for item in definitions.get(kind, ())}
    for item in definitions.get("controller_workflows", ()):
        kind = "controller_workflows"
        yield from _survey(kind, item)
        nodes = {str(node.get("identifier")): node for node in item.get("simplified_workflow_nodes", ())}
        for name, node in nodes.items():
            where = place(kind, item, f"simplified_workflow_nodes[{name}]")
            template = node.get("unified_job_template")
            if template == item.get("name"):
                yield f"{where}: the workflow starts itself, again and again."
            elif template is not None and template not in known:
                yield f"{where}: there is no '{template}'.{nearest(str(template), known)}"
            for next_name in _next(node):
                if next_name not in nodes:
                    yield f"{where}: there is no node '{next_name}'.{nearest(next_name, nodes)}"
        if _goes_round(nodes):
            yield f"{place(kind, item, 'simplified_workflow_nodes')}: the nodes go round in a circle."


def _next(node: Item) -> list[str]:
    return [str(name) for link in ("success_nodes", "always_nodes", "failure_nodes") for name in node.get(link, ())]


def _goes_round(nodes: Mapping[str, Item]) -> bool:
    left = {name: {other for other in _next(node) if other in nodes} for name, node in nodes.items()}
    while left:
        ends = {name for name, others in left.items() if not others & left.keys()}
        if not ends:
            return True
        left = {name: others for name, others in left.items() if name not in ends}
    return False


def _schedules(definitions: Definitions, now: datetime.datetime) -> Iterator[str]:
    started = {str(item.get("name")): item for kind in _STARTED for item in definitions.get(kind, ())}
    for item in definitions.get("controller_schedules", ()):
        kind = "controller_schedules"
        for problem in rrules.lint(str(item.get("rrule") or ""), now):
            yield f"{place(kind, item, 'rrule')}: {problem}."
        template = started.get(str(item.get("unified_job_template")))
        if template is None:
            name = str(item.get("unified_job_template"))
            hint = nearest(name, started)
            yield f"{place(kind, item, 'unified_job_template')}: there is no '{name}'.{hint}"
            continue
        for field, asked in PROMPTS.items():
            if item.get(field) and not template.get(asked):
                yield f"{place(kind, item, field)}: '{template['name']}' does not ask for it on launch ({asked})."
        if item.get("limit") and template.get("job_slice_count", 1) > 1:
            where = place(kind, item, "limit")
            yield f"{where}: '{template['name']}' is sliced: slices and a limit do not go together."
        asked_for = template.get("survey_spec") if template.get("survey_enabled") else None
        for problem in surveys.answered(
            asked_for, item.get("extra_data") or {}, template.get("ask_variables_on_launch")
        ):
            yield f"{place(kind, item, 'extra_data')}: {problem}."
