# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what AWX has to have for a client, as data. Pure.

In the shapes that the roles of infra.aap_configuration take (``controller_templates``, ``controller_schedules``, ...):
an item is what the module of awx.awx is called with, and workflows have their nodes in ``simplified_workflow_nodes``.
Every name begins with ``keepwell-<client>``, every description with :func:`mark`, by which what is ours is told from
what people made.
"""

from __future__ import annotations

import typing as t
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from ansible_collections.keepwell.fleet.plugins.plugin_utils.awx import rrules
from ansible_collections.keepwell.fleet.plugins.plugin_utils.awx.model import Awx
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.choosing import ACT
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.calendar import ANY_WINDOW
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Client
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.jobs import asked
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.model import (
    DEFAULT_LIMIT,
    FLEET,
    PLAYBOOKS,
    Entry,
)

Definitions = dict[str, list[dict[str, t.Any]]]
_WHAT = {
    "assess": "look at all hosts, judge, report",
    "watch": "the light look every few minutes",
    "patch": "updates",
    "antivirus": "protection against malware",
    "backup_verify": "proofs of backups",
    "disk_cleanup": "room on disks",
    "maintain": "all chores of the plan, in their order",
    "report": "the reports of the newest run, made again",
    "period_report": "the reports of the last month that is over, or of other days",
    "fleet_overview": "all clients of the state directory on one page, for the provider",
    "deliver": "messages that wait, sent again",
    "verify": "whether the evidence is as it was sealed",
}


@dataclass(frozen=True)
class Told:
    """What definitions are made from.

    ``services`` are those that some host's plan has, ``windows`` the names of all windows, ``playbooks`` those that
    this project has, ``year`` the first whose clock changes are looked at.
    """

    client: Client
    awx: Awx
    schedule: Mapping[str, Entry]
    services: Collection[str]
    windows: Collection[str]
    playbooks: Collection[str]
    year: int

    def name(self, what: str = "") -> str:
        """Return the name of one of this client's objects."""
        return "-".join(filter(None, ("keepwell", self.client.id, what.replace("_", "-"))))


def mark(client: str) -> str:
    """Return what every description of a client's objects begins with."""
    return f"Made by Keepwell for {client}:"


def definitions(told: Told) -> Definitions:
    """Return everything that AWX has to have for this client."""
    return {
        "controller_organizations": _organizations(told),
        "controller_execution_environments": [_environment(told)],
        "controller_notifications": _notifications(told),
        "controller_projects": [_project(told)],
        "controller_inventories": [_described(told, "inventory", "its hosts", kind="")],
        "controller_inventory_sources": [_source(told)],
        "controller_templates": _templates(told),
        "controller_workflows": [_workflow(told, playbook) for playbook in _approved(told)],
        "controller_schedules": [_scheduled(told, name, entry) for name, entry in told.schedule.items()],
    }


def _described(told: Told, what: str, text: str, **more: t.Any) -> dict[str, t.Any]:
    return {
        "name": told.name(what),
        "description": f"{mark(told.client.id)} {text}",
        "organization": _organization(told),
        **more,
    }


def _organization(told: Told) -> str:
    return told.awx.organization or told.name()


def _organizations(told: Told) -> list[dict[str, t.Any]]:
    """One is made where none is named: what a client has is kept apart from what others have."""
    if told.awx.organization:
        return []
    return [{"name": told.name(), "description": f"{mark(told.client.id)} {told.client.name}"}]


def _environment(told: Told) -> dict[str, t.Any]:
    chosen = told.awx.environment
    credential = {"credential": chosen.credential} if chosen.credential else {}
    return _described(told, "ee", "what jobs run in", image=chosen.image, pull=chosen.pull, **credential)


def _notifications(told: Told) -> list[dict[str, t.Any]]:
    if told.awx.webhook is None:
        return []
    configuration = {
        "url": told.awx.webhook.url,
        "http_method": "POST",
        "headers": dict(told.awx.webhook.headers),
        "disable_ssl_verification": False,
        "username": "",
        "password": "",
    }
    return [
        _described(
            told,
            "failures",
            "told of failed jobs alone; what was found is in the reports",
            notification_type="webhook",
            notification_configuration=configuration,
        )
    ]


def _told_of_failures(told: Told) -> list[str]:
    own = [told.name("failures")] if told.awx.webhook else []
    return [*told.awx.notify, *own]


def _project(told: Told) -> dict[str, t.Any]:
    chosen = told.awx.project
    credential = {"credential": chosen.credential} if chosen.credential else {}
    return _described(
        told,
        "project",
        "playbooks and the client's files, pinned",
        scm_type="git",
        scm_url=chosen.url,
        scm_branch=chosen.branch,
        scm_clean=True,
        scm_update_on_launch=False,
        # With it AWX takes names of playbooks that are not there.
        allow_override=False,
        notification_templates_error=_told_of_failures(told),
        **credential,
    )


def _source(told: Told) -> dict[str, t.Any]:
    return _described(
        told,
        "hosts",
        "hosts and variables, from the project",
        inventory=told.name("inventory"),
        source="scm",
        source_project=told.name("project"),
        source_path=told.awx.inventory or f"inventories/{told.client.id}",
        execution_environment=told.name("ee"),
        # What is not in the files any more goes from AWX as well.
        overwrite=True,
        overwrite_vars=True,
        update_on_launch=True,
        update_cache_timeout=900,
        notification_templates_error=_told_of_failures(told),
    )


def _usable(told: Told) -> list[str]:
    """Playbooks that make sense for this client: those that only look, and those for what it bought.

    The overview of all clients is the provider's: only where a schedule asks for it.
    """
    return [
        playbook
        for playbook, chores in PLAYBOOKS.items()
        if playbook in told.playbooks
        and (not chores or _bought(told, playbook))
        and (playbook != FLEET or any(entry.playbook == FLEET for entry in told.schedule.values()))
    ]


def _bought(told: Told, playbook: str) -> list[str]:
    return [chore for chore in PLAYBOOKS[playbook] if chore in told.services]


def _acting(told: Told) -> list[str]:
    return [playbook for playbook in _usable(told) if _bought(told, playbook)]


def _approved(told: Told) -> list[str]:
    """Where there is one playbook for all chores, one approval for all of them."""
    acting = _acting(told)
    return ["maintain"] if "maintain" in acting else acting


def _templates(told: Told) -> list[dict[str, t.Any]]:
    looking = [
        _template(told, playbook, f"{_WHAT[playbook]}; only looks", extra_vars=asked(playbook, ()))
        for playbook in _usable(told)
    ]
    acting = [
        _template(
            told,
            playbook,
            f"{_WHAT[playbook]}; changes hosts, in their windows",
            suffix="act",
            extra_vars=_answers_for_chores(told, playbook),
            survey_enabled=True,
            survey_spec=_survey(told, playbook),
        )
        for playbook in _acting(told)
    ]
    return looking + acting


def _template(told: Told, playbook: str, text: str, suffix: str = "", **more: t.Any) -> dict[str, t.Any]:
    # AWX tells a job that a schedule started the name of that schedule (_scheduled), and others nothing.
    entry = f"{{{{ (awx_schedule_name | default('')).removeprefix('{told.name()}-') }}}}"
    variables = {
        "keepwell_entry": entry,
        "keepwell_state_dir": told.awx.state_dir,
        **more.pop("extra_vars", {}),
    }
    return _described(
        told,
        f"{playbook}-{suffix}".rstrip("-"),
        text,
        job_type="run",
        project=told.name("project"),
        playbook=f"playbooks/{playbook}.yml",
        inventory=told.name("inventory"),
        execution_environment=told.name("ee"),
        credentials=list(told.awx.credentials),
        instance_groups=list(told.awx.instance_groups),
        extra_vars=variables,
        # One run is one population under one lock. Slices would be several, and fail where a limit leaves one empty.
        job_slice_count=1,
        allow_simultaneous=False,
        timeout=DEFAULT_LIMIT,
        ask_limit_on_launch=True,
        ask_timeout_on_launch=True,
        ask_variables_on_launch=False,
        use_fact_cache=False,
        notification_templates_error=_told_of_failures(told),
        **{"survey_enabled": False, **more},
    )


def _answers_for_chores(told: Told, playbook: str) -> dict[str, t.Any]:
    """Return variables of an acting template: who answers goes into the record of every change."""
    chores = _bought(told, playbook)
    acting = {} if len(PLAYBOOKS[playbook]) > 1 else asked(playbook, chores)
    return {**acting, **{f"{chore}_approver": "{{ keepwell_approver }}" for chore in chores}}


def _survey(told: Told, playbook: str) -> dict[str, t.Any]:
    """Return what a person has to say before hosts are changed. Schedules give the same answers (:func:`_answers`)."""
    questions = [
        _question("keepwell_approver", "Who answers for it?", "text", minimum=2, maximum=100),
        _question("keepwell_reason", "Why?", "text", minimum=3, maximum=500),
        _question(
            "keepwell_window",
            "In which maintenance window?",
            "multiplechoice",
            choices=[ANY_WINDOW, *sorted({*told.windows} - {ANY_WINDOW})],
            default=ANY_WINDOW,
        ),
    ]
    if len(PLAYBOOKS[playbook]) > 1:
        # Not <chore>_act, which would overrule a host whose files say that it is not to be changed.
        questions.append(_question(ACT, "Which chores?", "multiselect", choices=_bought(told, playbook)))
    return {
        "name": told.name(f"{playbook}-act"),
        "description": "What is asked before hosts are changed",
        "spec": questions,
    }


def _question(
    variable: str,
    name: str,
    kind: str,
    minimum: int | None = None,
    maximum: int | None = None,
    choices: Sequence[str] = (),
    default: str = "",
) -> dict[str, t.Any]:
    return {
        "question_name": name,
        "question_description": "",
        "required": True,
        "type": kind,
        "variable": variable,
        "min": minimum,
        "max": maximum,
        "default": default,
        "choices": list(choices),
    }


def _workflow(told: Told, playbook: str) -> dict[str, t.Any]:
    """Look, let somebody read it, do it, look again: with the same survey as the acting template."""
    return _described(
        told,
        f"{playbook}-approved",
        f"{_WHAT[playbook]}: look, wait for an approval, change hosts, look again",
        survey_enabled=True,
        survey_spec=_survey(told, playbook),
        allow_simultaneous=False,
        notification_templates_error=_told_of_failures(told),
        simplified_workflow_nodes=[
            {"identifier": "look", "unified_job_template": told.name(playbook), "success_nodes": ["approve"]},
            {
                "identifier": "approve",
                "approval_node": {
                    "name": f"{told.name(playbook)}: read the announcement",
                    "description": f"{mark(told.client.id)} the job before has it in its output and its report",
                    "timeout": 24 * 3600,
                },
                "success_nodes": ["act"],
            },
            {
                "identifier": "act",
                "unified_job_template": told.name(f"{playbook}-act"),
                # Also after a failure somebody has to see how the hosts are.
                "always_nodes": ["verify"],
            },
            {"identifier": "verify", "unified_job_template": told.name("assess")},
        ],
    )


def _scheduled(told: Told, name: str, entry: Entry) -> dict[str, t.Any]:
    answers = _answers(told, name, entry)
    return {
        "name": told.name(name),
        "description": f"{mark(told.client.id)} entry '{name}' of keepwell_schedule",
        "organization": _organization(told),
        "unified_job_template": told.name(entry.playbook + ("-act" if entry.act else "")),
        "rrule": rrules.render(told.client.id, name, entry, ZoneInfo(told.client.timezone), told.year),
        "enabled": entry.enabled,
        "limit": entry.limit,
        "timeout": entry.timeout_s,
        "extra_data": answers,
    }


def _answers(told: Told, name: str, entry: Entry) -> dict[str, t.Any]:
    """Return the answers to the survey that an entry gives: whoever wrote the schedule down decided it."""
    if not entry.act:
        return {}
    return {
        "keepwell_approver": "keepwell_schedule",
        "keepwell_reason": f"entry '{name}' of the schedule of {told.client.id}",
        "keepwell_window": ANY_WINDOW,
        **(asked(entry.playbook, entry.act) if len(PLAYBOOKS[entry.playbook]) > 1 else {}),
    }
