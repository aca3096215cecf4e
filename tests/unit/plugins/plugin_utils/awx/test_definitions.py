# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWX has to have for a client, and what is told of definitions that somebody spoiled."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import typing as t
from collections.abc import Callable

import pytest
from ansible.plugins.loader import init_plugin_loader

from ansible_collections.keepwell.fleet.plugins.plugin_utils.awx import (
    linting,
    model,
    rendering,
    steps,
    surveys,
    written,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Client
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.model import PLAYBOOKS, Entry

NOW = datetime.datetime(2026, 11, 27, 12, tzinfo=datetime.UTC)
PATHS = [f"playbooks/{name}.yml" for name in PLAYBOOKS]
DECLARED = {
    "project": {"url": "https://git.example/keepwell.git", "branch": "v0.1.0", "credential": "acme git"},
    "environment": {"image": "registry.example/keepwell-ee:0.1.0"},
    "credentials": ["acme ssh"],
    "webhook": {"url": "https://hooks.example/x", "headers": {"X-Client": "acme"}},
}
SCHEDULE = {
    "morning": {"playbook": "assess", "at": "05:10"},
    "watch": {"playbook": "watch", "every": "5m"},
    "nightly": {"playbook": "maintain", "at": "22:00", "days": ["tue"], "act": ["patching"], "limit_s": 14400},
    "patches": {"playbook": "patch", "at": "22:00", "act": ["patching"], "limit": "web", "enabled": False},
}


def told(services: t.Collection[str] = ("patching", "disk_cleanup"), **changes: t.Any) -> rendering.Told:
    awx, problems = model.build({**DECLARED, **changes})
    assert problems == []
    assert awx is not None
    return rendering.Told(
        client=Client(id="acme", name="Acme Ltd", timezone="Europe/Berlin"),
        awx=awx,
        schedule={name: Entry.model_validate(entry) for name, entry in SCHEDULE.items()},
        services=services,
        windows={"sunday", "any"},
        playbooks=set(PLAYBOOKS),
        year=2026,
    )


@pytest.fixture(scope="module")
def documented() -> written.Documented:
    init_plugin_loader()
    return written.documented()


def named(definitions: rendering.Definitions, kind: str, name: str) -> dict[str, t.Any]:
    [found] = [item for item in definitions[kind] if item["name"] == name]
    return found


def test_nothing_is_wrong_with_what_is_made(documented: written.Documented) -> None:
    made, problems = written.look(told(), documented, NOW.timestamp())
    assert problems == []
    assert set(made) == set(steps.KINDS)


def test_every_name_and_description_carries_the_client() -> None:
    for items in rendering.definitions(told()).values():
        for item in items:
            assert item["name"] == "keepwell-acme" or item["name"].startswith("keepwell-acme-")
            assert item["description"].startswith("Made by Keepwell for acme: ")


def test_there_is_a_template_for_what_was_bought_and_for_what_only_looks() -> None:
    names = [
        item["name"].removeprefix("keepwell-acme-") for item in rendering.definitions(told())["controller_templates"]
    ]
    assert names == [
        "assess", "watch", "patch", "disk-cleanup", "maintain", "report", "period-report", "deliver", "verify", "patch-act", "disk-cleanup-act", "maintain-act",
    ]  # fmt: skip
    nothing = rendering.definitions(told(services=()))
    assert [item["name"].removeprefix("keepwell-acme-") for item in nothing["controller_templates"]] == [
        "assess",
        "watch",
        "report",
        "period-report",
        "deliver",
        "verify",
    ]
    assert nothing["controller_workflows"] == []


def test_the_overview_of_all_clients_is_there_only_for_whom_a_schedule_asks() -> None:
    fleet = Entry.model_validate({"playbook": "fleet_overview", "at": "06:30"})
    asked = dataclasses.replace(told(), schedule={"fleet": fleet})
    made = rendering.definitions(asked)
    assert "keepwell-acme-fleet-overview" in [item["name"] for item in made["controller_templates"]]
    [item] = made["controller_schedules"]
    assert item["unified_job_template"] == "keepwell-acme-fleet-overview"


def test_no_template_is_sliced_runs_twice_at_once_or_may_be_told_more_than_its_survey_asks() -> None:
    for item in rendering.definitions(told())["controller_templates"]:
        assert (item["job_slice_count"], item["allow_simultaneous"], item["ask_variables_on_launch"]) == (
            1,
            False,
            False,
        )
        assert item["extra_vars"]["keepwell_state_dir"] == "/var/lib/keepwell"


def test_who_changes_hosts_says_who_answers_why_and_in_which_window() -> None:
    made = rendering.definitions(told())
    acting = named(made, "controller_templates", "keepwell-acme-patch-act")
    questions = {question["variable"]: question for question in acting["survey_spec"]["spec"]}
    assert list(questions) == ["keepwell_approver", "keepwell_reason", "keepwell_window"]
    assert questions["keepwell_window"]["choices"] == ["any", "sunday"]
    assert acting["extra_vars"]["patching_act"] is True
    assert acting["extra_vars"]["patching_approver"] == "{{ keepwell_approver }}"
    # A look stays one where the client's files let the chore act: in a workflow it comes before the approval.
    assert named(made, "controller_templates", "keepwell-acme-patch")["extra_vars"]["patching_act"] is False
    assert named(made, "controller_templates", "keepwell-acme-maintain")["extra_vars"]["maintain_act"] == []


def test_all_chores_together_ask_for_each_of_them_and_do_none_by_themselves() -> None:
    made = rendering.definitions(told())
    acting = named(made, "controller_templates", "keepwell-acme-maintain-act")
    [asked] = [one for one in acting["survey_spec"]["spec"] if one["variable"].endswith("_act")]
    assert (asked["variable"], asked["type"], asked["default"]) == ("maintain_act", "multiselect", "")
    assert asked["choices"] == ["patching", "disk_cleanup"]
    assert not [key for key in acting["extra_vars"] if key.endswith("_act")]
    nightly = named(made, "controller_schedules", "keepwell-acme-nightly")
    assert nightly["extra_data"] == {
        "keepwell_approver": "keepwell_schedule",
        "keepwell_reason": "entry 'nightly' of the schedule of acme",
        "keepwell_window": "any",
        "maintain_act": ["patching"],
    }


def test_an_entry_becomes_a_schedule_of_the_template_that_does_it() -> None:
    made = rendering.definitions(told())
    found = {
        item["name"].removeprefix("keepwell-acme-"): (
            item["unified_job_template"],
            item["limit"],
            item["timeout"],
            item["enabled"],
        )
        for item in made["controller_schedules"]
    }
    assert found == {
        "morning": ("keepwell-acme-assess", "", 7200, True),
        "watch": ("keepwell-acme-watch", "", 300, True),
        "nightly": ("keepwell-acme-maintain-act", "", 14400, True),
        "patches": ("keepwell-acme-patch-act", "web", 7200, False),
    }


def test_an_organization_that_is_named_is_used_and_not_made() -> None:
    made = rendering.definitions(told(organization="Customers"))
    assert made["controller_organizations"] == []
    assert {item["organization"] for item in made["controller_templates"]} == {"Customers"}


def test_only_failed_jobs_are_told_of() -> None:
    for kind, items in rendering.definitions(told(notify=["desk"])).items():
        for item in items:
            assert not {"notification_templates_started", "notification_templates_success"} & item.keys()
            if kind in (
                "controller_templates",
                "controller_workflows",
                "controller_projects",
                "controller_inventory_sources",
            ):
                assert item["notification_templates_error"] == ["desk", "keepwell-acme-failures"]


def test_nothing_that_is_made_differs_from_one_time_to_the_next() -> None:
    assert rendering.definitions(told()) == rendering.definitions(told())


# --- what is told

Spoil = Callable[[rendering.Definitions], t.Any]
TEMPLATE, ACT, PLACE = "keepwell-acme-assess", "keepwell-acme-patch-act", "controller_templates[keepwell-acme-assess]"


def _set(kind: str, name: str, /, **values: t.Any) -> Spoil:
    return lambda made: named(made, kind, name).update(values)


def _question(number: int, **values: t.Any) -> Spoil:
    return lambda made: named(made, "controller_templates", ACT)["survey_spec"]["spec"][number].update(values)


def _link(node: int, **values: t.Any) -> Spoil:
    return lambda made: made["controller_workflows"][0]["simplified_workflow_nodes"][node].update(values)


SPOILED: list[tuple[Spoil, str]] = [
    (_set("controller_templates", TEMPLATE, job_slices=3), f"{PLACE}.job_slices: awx.awx.job_template has no such field. Did you mean 'job_slice_count'?"),
    (_set("controller_templates", TEMPLATE, timeout="many"), "cannot be converted to an int"),
    (_set("controller_templates", TEMPLATE, job_type="scan"), "value of job_type must be one of: run, check, got: scan"),
    (_set("controller_templates", TEMPLATE, verbosity=9), "value of verbosity must be one of"),
    (_set("controller_templates", TEMPLATE, job_slice_count=3), "slices and a limit do not go together"),
    (_set("controller_templates", TEMPLATE, job_slice_count=0), "job_slice_count: 0 should be 1 or more"),
    (_set("controller_templates", TEMPLATE, playbook="playbooks/asess.yml"), "the project has no playbooks/asess.yml. Did you mean 'playbooks/assess.yml'?"),
    (_set("controller_templates", TEMPLATE, inventory=""), f"{PLACE}.inventory: it has to be said, or asked for on launch."),
    (_set("controller_templates", TEMPLATE, name=""), "controller_templates[?].name: it has to be said."),
    (_set("controller_templates", TEMPLATE, name="x" * 513), "more than 512 characters"),
    (_set("controller_templates", TEMPLATE, name=ACT), f"controller_templates[{ACT}]: there are 2 of that name."),
    (_set("controller_projects", "keepwell-acme-project", name=TEMPLATE), "names several of projects, inventory sources, templates and workflows"),
    (_set("controller_projects", "keepwell-acme-project", allow_override=True), "AWX takes templates whose playbook is not there"),
    (_set("controller_projects", "keepwell-acme-project", scm_type="hg"), "value of scm_type must be one of"),
    (_set("controller_execution_environments", "keepwell-acme-ee", pull="sometimes"), "value of pull must be one of: always, missing, never"),
    (_set("controller_notifications", "keepwell-acme-failures", notification_type="teams"), "value of notification_type must be one of"),
    (_set("controller_schedules", "keepwell-acme-morning", rrule="DTSTART:20260101T000000Z RRULE:FREQ=DAILY"), "controller_schedules[keepwell-acme-morning].rrule: it has no INTERVAL"),
    (_set("controller_schedules", "keepwell-acme-morning", rrule="DTSTART:20260101T000000Z RRULE:FREQ=DAILY;INTERVAL=0"), "INTERVAL=0"),
    (_set("controller_schedules", "keepwell-acme-morning", rrule=None), "it has no DTSTART"),
    (_set("controller_schedules", "keepwell-acme-morning", unified_job_template="keepwell-acme-asess"), "there is no 'keepwell-acme-asess'. Did you mean 'keepwell-acme-assess'?"),
    (_set("controller_schedules", "keepwell-acme-morning", job_tags="x"), "does not ask for it on launch (ask_tags_on_launch)"),
    (_set("controller_schedules", "keepwell-acme-morning", extra_data={"patching_act": True}), "nobody asks for patching_act"),
    (_set("controller_schedules", "keepwell-acme-patches", extra_data={}), "keepwell_approver is not answered"),
    (_set("controller_schedules", "keepwell-acme-patches", extra_data={"keepwell_approver": "me", "keepwell_reason": "why", "keepwell_window": "monday"}), "the answer to keepwell_window is none of its choices: 'monday'"),
    (_question(0, type="date"), "has the type 'date', which is none of text"),
    (_question(1, variable="keepwell_approver"), "question 1 (keepwell_approver) has the variable of another"),
    (_question(2, default="monday"), "has a default that is none of its choices: 'monday'"),
    (_question(2, choices=[]), "question 2 (keepwell_window) has no choices"),
    (_set("controller_templates", ACT, survey_spec={}), "a survey has no question"),
    (_link(3, success_nodes=["look"]), "the nodes go round in a circle"),
    (_link(0, success_nodes=["aprove"]), "there is no node 'aprove'. Did you mean 'approve'?"),
    (_link(0, unified_job_template="keepwell-acme-maintain-approved"), "the workflow starts itself"),
    (_link(0, unified_job_template="nothing"), "there is no 'nothing'"),
    (_link(0, sucess_nodes=["approve"]), "has no such field. Did you mean 'success_nodes'?"),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "words"), SPOILED)
def test_what_is_wrong_is_told_before_awx_is_asked(documented: written.Documented, spoil: Spoil, words: str) -> None:
    made = copy.deepcopy(rendering.definitions(told()))
    spoil(made)
    problems = [*linting.lint(made, PATHS, NOW), *steps.lint(made, documented)]
    assert any(words in problem for problem in problems), problems
    assert all(problem.endswith((".", "?")) for problem in problems), problems


@pytest.mark.parametrize(
    ("question", "answer", "words"),
    [
        ({"type": "integer", "max": 9}, "abc", "should be a whole number, not 'abc'"),
        ({"type": "integer", "max": 9}, 99, "is 99; the most is 9"),
        ({"type": "integer"}, True, "should be a whole number"),
        ({"type": "float", "min": 1}, 0.5, "is 0.5; the least is 1"),
        ({"type": "text", "min": 3}, "no", "is 2 characters long; the least is 3"),
        ({"type": "text"}, 7, "should be a text, not 7"),
        ({"type": "multiselect", "choices": "a\nb"}, ["a", "c"], "is none of its choices: 'c'"),
    ],
)
def test_answers_are_looked_at_as_awx_does(question: dict[str, t.Any], answer: t.Any, words: str) -> None:
    spec = {"spec": [{"variable": "v", "required": True, **question}]}
    assert [words in problem for problem in surveys.answered(spec, {"v": answer})] == [True]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"project": {"url": "https://x:secret@git.example/a", "branch": "v1"}}, "holds a password"),
        ({"project": {"url": "https://git.example/a", "branch": "main"}}, "pin a tag or a commit"),
        ({"project": {"url": "https://git.example/a"}}, "keepwell_awx.project.branch: it has to be said."),
        ({"project": {"url": "https://git.example/a", "brunch": "v1"}}, "keepwell_awx.project.brunch: unknown key. Did you mean 'branch'?"),
        ({"environment": {"image": "registry.example/ee"}}, "should end in a version or a digest"),
        ({"environment": {"image": "registry.example/ee:latest"}}, "should end in a version or a digest"),
        ({"environment": {"image": "bad image!!:1"}}, "keepwell_awx.environment.image"),
        ({"webhook": {"url": "https://x.example", "headers": {"Authorization": "Bearer x"}}}, "Authorization is a secret"),
        ({"state_dir": "state"}, "keepwell_awx.state_dir"),
        ({"credentals": ["x"]}, "keepwell_awx.credentals: unknown key. Did you mean 'credentials'?"),
    ],
)  # fmt: skip
def test_a_broken_declaration_is_told_in_one_sentence(changes: dict[str, t.Any], words: str) -> None:
    awx, problems = model.build({**DECLARED, **changes})
    assert awx is None
    assert any(words in problem for problem in problems), problems
    assert not [problem for problem in problems if "secret@" in problem or "Bearer" in problem]


def test_what_is_no_mapping_is_refused() -> None:
    assert model.build("awx") == (None, ["keepwell_awx must be a mapping with project and environment, not str."])
    assert model.build(None) == (None, [])


def test_a_playbook_that_the_project_lacks_is_told(documented: written.Documented) -> None:
    whole = told()
    lacking = rendering.Told(**{**whole.__dict__, "playbooks": set(PLAYBOOKS) - {"watch"}})
    _made, problems = written.look(lacking, documented, NOW.timestamp())
    assert problems[0] == "keepwell_schedule.watch.playbook: this project has no playbooks/watch.yml."


# --- in which order


def test_what_is_referred_to_is_made_first() -> None:
    known: set[str] = set()
    ours = {step.title for step in steps.making(rendering.definitions(told()))}
    for step in steps.making(rendering.definitions(told())):
        assert step.needs & ours <= known, step
        known.add(step.title)


def test_only_what_is_ours_and_not_written_is_taken_away_and_no_organization() -> None:
    made = rendering.definitions(told())
    owned = {
        "controller_organizations": [{"name": "keepwell-acme"}],
        "controller_templates": [
            {"name": "keepwell-acme-assess", "summary_fields": {"organization": {"name": "keepwell-acme"}}},
            {"name": "keepwell-acme-old", "summary_fields": {"organization": {"name": "keepwell-acme"}}},
        ],
        "controller_schedules": [{"name": "keepwell-acme-gone", "summary_fields": {"unified_job_template": {"name": "keepwell-acme-old"}}}],
    }  # fmt: skip
    found = [dict(step.arguments) for step in steps.strays(made, owned)]
    assert found == [
        {"name": "keepwell-acme-gone", "unified_job_template": "keepwell-acme-old", "state": "absent"},
        {"name": "keepwell-acme-old", "organization": "keepwell-acme", "state": "absent"},
    ]
    assert [step.title for step in steps.strays({}, owned)] == [
        "keepwell-acme-gone",
        "keepwell-acme-assess",
        "keepwell-acme-old",
    ]
