"""A client in AWX: the real modules of awx.awx against a double of AWX that refuses what AWX refuses."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from awx_double import TOKEN, Awx, rrule_errors, serving
from harness import PROJECT, Outcome, Project, need

VERDICTS = yaml.safe_load((PROJECT / "tests/unit/cases/awx/rrules.yml").read_text())
PLAYBOOKS = [f"playbooks/{path.name}" for path in (PROJECT / "playbooks").glob("*.yml")]
HOSTS = {"web1": {"ansible_host": "192.0.2.11"}}
CLIENT = {
    "keepwell_client": {"id": "acme", "name": "Acme Ltd", "timezone": "Europe/Berlin"},
    "keepwell_plan": {"name": "Care", "services": ["patching"]},
    "keepwell_windows": {
        "sunday": {"rule": {"weekly": ["sun"]}, "start": "22:00", "duration": "4h", "allow": ["patch"]}
    },
    "keepwell_schedule": {
        "morning": {"playbook": "assess", "at": "05:10"},
        "patches": {"playbook": "patch", "at": "22:00", "days": ["sun"], "act": ["patching"], "limit": "web"},
        "month": {"playbook": "report", "at": "06:00", "month_days": [1]},
    },
    "keepwell_awx": {
        "project": {"url": "https://git.example/keepwell.git", "branch": "v0.1.0", "credential": "acme git"},
        "environment": {"image": "registry.example/keepwell-ee:0.1.0"},
        "credentials": ["acme ssh"],
        "webhook": {"url": "https://hooks.example/keepwell"},
    },
}


def client(folder: Path, **changes: t.Any) -> Path:
    place = folder / "acme"
    for name, content in {
        "hosts": {"all": {"children": {"web": {"hosts": HOSTS}}}},
        "group_vars/all/client": {**CLIENT, **changes},
    }.items():
        path = place / f"{name}.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content))
    return place


@pytest.fixture
def awx() -> t.Iterator[Awx]:
    need(
        (Path(yaml.__file__).parents[1] / "ansible_collections" / "awx" / "awx").exists(),
        "the collection awx.awx (package ansible)",
    )
    with serving(Awx(PLAYBOOKS)) as double:
        for name in ("acme git", "acme ssh"):
            double.add("credentials", name=name)
        yield double


class Keeping(Project):
    """The project, with an AWX named in the environment."""

    address = ""

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "CONTROLLER_HOST": self.address, "CONTROLLER_OAUTH_TOKEN": TOKEN}

    def keep(self, place: Path, *arguments: str) -> Outcome:
        """Forty modules are started one after the other: a busy machine takes minutes for that."""
        return self.play("awx", place, *arguments, timeout=600)


@pytest.fixture
def keeping(tmp_path: Path, awx: Awx) -> Keeping:
    made = Keeping(tmp_path / "state")
    made.address = awx.address
    return made


def told(outcome: Outcome) -> str:
    return " ".join(outcome.output.split()).replace("''", "'")


@pytest.mark.parametrize("case", VERDICTS, ids=lambda case: case["rule"])
def test_the_double_takes_the_rules_that_awx_takes(case: dict[str, t.Any]) -> None:
    assert (rrule_errors(case["rule"]) == []) is case["taken"]


def test_a_client_is_shown_made_kept_and_taken_away(keeping: Keeping, awx: Awx, tmp_path: Path) -> None:
    place = client(tmp_path)

    shown = keeping.keep(place)
    assert shown.rc == 0, shown.output
    assert "▲ Not in AWX: organization keepwell-acme" in shown.output
    assert "▲ Not in AWX: schedule keepwell-acme-patches (or otherwise: what it needs is not there)" in shown.output
    assert awx.calls == []

    made = keeping.keep(place, "-e", "awx_act=true")
    assert made.rc == 0, made.output
    assert [call for call in awx.calls if call[3] >= 400] == []
    assert awx.names("schedules") == ["keepwell-acme-month", "keepwell-acme-morning", "keepwell-acme-patches"]
    assert {"keepwell-acme-assess", "keepwell-acme-patch", "keepwell-acme-patch-act", "keepwell-acme-report"} <= set(
        awx.names("job_templates")
    )
    schedule = awx.one("schedules", "keepwell-acme-patches")
    assert schedule["rrule"] == "DTSTART;TZID=Europe/Berlin:20260101T220000 RRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=SU"
    assert (schedule["limit"], schedule["timeout"]) == ("web", 7200)
    assert schedule["extra_data"]["keepwell_approver"] == "keepwell_schedule"
    acting = awx.one("job_templates", "keepwell-acme-patch-act")
    assert '"{{ keepwell_approver }}"' in acting["extra_vars"]
    [workflow] = [row for row in awx.rows["workflow_job_templates"].values() if row["name"].endswith("-approved")]
    assert (
        len(
            [
                row
                for row in awx.rows["workflow_job_template_nodes"].values()
                if row["workflow_job_template"] == workflow["id"]
            ]
        )
        == 4
    )

    awx.calls.clear()
    again = keeping.keep(place, "-e", "awx_act=true")
    assert (again.rc, awx.calls) == (0, []), again.output
    assert "changed=0" in again.output

    # What people do to it.
    schedule = awx.one("schedules", "keepwell-acme-patches")
    schedule["enabled"] = False
    awx.remove("schedules", awx.one("schedules", "keepwell-acme-month")["id"])
    by_hand = awx.add(
        "job_templates",
        name="by hand",
        project=acting["project"],
        inventory=acting["inventory"],
        playbook="playbooks/assess.yml",
    )
    looked = keeping.keep(place, "-e", "awx_fail_on_difference=true")
    assert looked.rc == 2
    assert "▲ Otherwise in AWX: schedule keepwell-acme-patches" in looked.output
    assert "▲ Not in AWX: schedule keepwell-acme-month" in looked.output
    assert "AWX: 1 would be made, 1 would be changed" in told(looked)
    assert awx.calls == []
    record = keeping.state / "acme" / "awx.json"
    # What runs tell as a finding from now on.
    assert {entry["kind"] for entry in json.loads(record.read_text())["differences"]} == {"changed", "missing"}

    fewer = {name: entry for name, entry in CLIENT["keepwell_schedule"].items() if name != "morning"}
    kept = keeping.keep(client(tmp_path, keepwell_schedule=fewer), "-e", "awx_act=true")
    assert kept.rc == 0, kept.output
    assert "- Removed: schedule keepwell-acme-morning" in kept.output
    assert awx.names("schedules") == ["keepwell-acme-month", "keepwell-acme-patches"]
    assert awx.one("schedules", "keepwell-acme-patches")["enabled"] is True

    gone = keeping.keep(place, "-e", "awx_act=true", "-e", "awx_state=absent")
    assert gone.rc == 0, gone.output
    left = {name: awx.names(name) for name in awx.rows if awx.rows[name]}
    assert left == {
        "organizations": ["keepwell-acme"],
        "credentials": ["acme git", "acme ssh"],
        "job_templates": ["by hand"],
    }
    assert by_hand in awx.rows["job_templates"]
    assert not record.exists()


# As playbooks/awx.yml has it.
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
REFUSED = [
    ("controller_schedules", {"name": "x", "unified_job_template": "there", "rrule": "DTSTART:20260101T000000Z RRULE:FREQ=DAILY"}, "INTERVAL required in rrule"),
    ("controller_schedules", {"name": "x", "unified_job_template": "there", "rrule": "DTSTART:20260101T000000Z RRULE:FREQ=DAILY;INTERVAL=1", "limit": "web"}, "Field is not configured to prompt on launch."),
    ("controller_templates", {"name": "x", "organization": "ours", "project": "theirs", "playbook": "nowhere.yml", "inventory": "all"}, "Playbook not found for project."),
    ("controller_templates", {"name": "", "organization": "ours", "project": "theirs", "playbook": "playbooks/assess.yml", "inventory": "all"}, "controller_templates[?].name: it has to be said. AWX was not asked."),
    ("controller_templates", {"name": "x", "timeout": "many"}, "cannot be converted to an int"),
    ("controller_templates", {"name": "x", "job_slices": 3}, "Unsupported parameters"),
    ("controller_notifications", {"name": "x", "organization": "ours", "notification_type": "webhook", "notification_configuration": {"url": "https://x.example"}}, "Missing required fields for Notification Configuration"),
    ("controller_templates", {"name": "there", "organization": "ours", "survey_spec": {"name": "", "description": "", "spec": [{"question_name": "q", "variable": "v", "required": True, "type": "date"}]}}, "allowed question types"),
]  # fmt: skip


def test_what_awx_refuses_is_told(keeping: Keeping, awx: Awx, tmp_path: Path) -> None:
    organization = awx.add("organizations", name="ours")
    project = awx.add(
        "projects", name="theirs", organization=organization, scm_type="git", scm_url="https://git.example/x.git"
    )
    inventory = awx.add("inventories", name="all", organization=organization)
    awx.add(
        "job_templates",
        name="there",
        organization=organization,
        project=project,
        inventory=inventory,
        playbook="playbooks/assess.yml",
    )
    tasks = [
        {
            "keepwell.fleet.awx_apply": {
                "definitions": {kind: [item]},
                "mark": "Made by Keepwell for acme:",
                "client": "acme",
                "written": "",
            },
            "ignore_errors": True,
        }
        for kind, item, _words in REFUSED
    ]
    playbook = tmp_path / "refused.yml"
    playbook.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "vars": LOCAL, "tasks": tasks}]))
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), str(playbook)],
        cwd=PROJECT, env=keeping.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    output = " ".join((done.stdout + done.stderr).split()).replace("''", "'")
    for kind, _item, words in REFUSED:
        assert words in output, (kind, words, output)
    assert f"ignored={len(REFUSED)}" in output
    assert "AWX refuses the schedule x:" in output


def test_definitions_are_looked_at_before_awx_is_asked(keeping: Keeping, awx: Awx, tmp_path: Path) -> None:
    place = client(
        tmp_path,
        keepwell_schedule={"x": {"playbook": "patch", "every": "5m"}},
        keepwell_awx={**CLIENT["keepwell_awx"], "notify": ["x" * 513]},
    )
    outcome = keeping.play("validate", place)
    assert outcome.rc == 2
    assert "keepwell_awx.notify.0: String should have at most 512 characters" in told(outcome)
    assert awx.calls == []


def test_without_an_address_nobody_is_asked(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONTROLLER_HOST", "TOWER_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    outcome = project.play("awx", client(tmp_path))
    assert outcome.rc == 2
    assert "No AWX is named. Put its address into CONTROLLER_HOST" in told(outcome)
