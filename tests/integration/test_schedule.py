"""playbooks/schedule.yml shows and does not act, and later runs tell what differs. Real systemd and cron: tests/fleet."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from harness import PROJECT, Outcome, Project

from ansible_collections.keepwell.fleet.plugins.plugin_utils.awx import model as awx_model
from ansible_collections.keepwell.fleet.plugins.plugin_utils.awx import rendering
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Client
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule import jobs
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.model import Entry

ENTRIES = {
    "look": {"playbook": "assess", "at": "05:10", "splay": "10m"},
    "room": {"playbook": "disk_cleanup", "at": "22:00", "act": ["disk_cleanup"]},
}


def write(folder: Path, **more: t.Any) -> Path:
    """A client of this machine alone, whose own settings of become are not for the control node."""
    variables = {
        "keepwell_client": {"id": "acme", "name": "Acme Ltd", "timezone": "Europe/Amsterdam"},
        "keepwell_plan": {"name": "Care", "services": ["disk_cleanup"]},
        "keepwell_schedule": ENTRIES,
        "ansible_become_user": "nobody",
        **more,
    }
    place = folder / "acme"
    (place / "group_vars/all").mkdir(parents=True)
    (place / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": {"self": {"ansible_connection": "local"}}}}))
    (place / "group_vars/all/all.yml").write_text(yaml.safe_dump(variables))
    return place


def told(outcome: Outcome) -> str:
    return " ".join(outcome.output.split())


@pytest.mark.parametrize("kind", ["systemd", "cron"])
@pytest.mark.parametrize("more", [(), ("--check", "-e", "scheduler_act=true", "-e", "scheduler_user=root")])
def test_without_acting_everything_is_shown_and_nothing_written(
    project: Project, tmp_path: Path, kind: str, more: tuple[str, ...]
) -> None:
    if kind == "systemd" and more and not Path("/run/systemd/system").is_dir():
        pytest.skip("systemd does not run this machine")
    if kind == "cron" and more and not Path("/etc/cron.d").is_dir():
        pytest.skip("this machine has no cron")
    outcome = project.play("schedule", write(tmp_path), "-e", f"scheduler_kind={kind}", *more)
    assert outcome.rc == 0, outcome.output
    files = {
        "systemd": ["look.timer", "look.service", "room.timer", "room.service", "alert@.service"],
        "cron": ["/etc/cron.d/keepwell-acme"],
    }
    for name in files[kind]:
        assert f"{name} is missing" in told(outcome)
    assert '"disk_cleanup_act' in outcome.output
    assert not project.state.exists()
    for path in ("/etc/systemd/system/keepwell-acme-look.timer", "/etc/cron.d/keepwell-acme"):
        assert not Path(path).exists()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"scheduler_knid": "cron"}, "scheduler_knid: unknown variable. Did you mean 'scheduler_kind'?"),
        ({"scheduler_kind": "at"}, "value of scheduler_kind must be one of: systemd, cron, got: at"),
        ({"scheduler_vault_file": "acme.vault"}, "scheduler_vault_file: should be a path from the root"),
        ({"scheduler_alert_mail": "ops"}, "scheduler_alert_mail: String should match pattern"),
        ({"keepwell_schedule": {"x": {"playbook": "asess", "every": "1h"}}}, "Did you mean 'assess'?"),
    ],
)
def test_a_mistake_stops_it_with_a_sentence(
    project: Project, tmp_path: Path, more: dict[str, t.Any], words: str
) -> None:
    outcome = project.play("schedule", write(tmp_path, **more))
    assert outcome.rc == 2
    assert words in told(outcome).replace("''", "'")
    assert "Traceback" not in outcome.output


def began(project: Project) -> list[tuple[str, str]]:
    """Playbooks without evidence, and for which entries they were."""
    lines = (project.state / "acme" / "errands.jsonl").read_text().splitlines()
    return [(errand["playbook"], errand.get("entry", "")) for errand in map(json.loads, lines)]


def test_what_a_unit_or_a_line_of_cron_starts_is_recorded_for_its_entry(project: Project, tmp_path: Path) -> None:
    entries = {
        "look": {"playbook": "assess", "at": "05:10"},
        "again": {"playbook": "deliver", "every": "15m"},
        "month": {"playbook": "report", "at": "06:00", "month_days": [1]},
        "sealed": {"playbook": "verify", "at": "07:00", "days": ["mon"]},
    }
    site = jobs.Site(
        client="acme",
        project=str(PROJECT),
        playbooks=str(PROJECT / "playbooks"),
        program=str(Path(sys.executable).with_name("ansible-playbook")),
        helpers=str(PROJECT / "roles/scheduler/files"),
        inventory=[str(write(tmp_path, keepwell_schedule=entries))],
        state_dir=str(project.state),
        user="keepwell",
    )
    (project.state / "acme").mkdir(parents=True)
    for name, terms in entries.items():
        command = jobs.command(site, name, Entry.model_validate(terms))
        done = subprocess.run(
            command, cwd=PROJECT, env=project.environment(), capture_output=True, text=True, timeout=170, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    [folder] = (project.state / "acme" / "runs").iterdir()
    header = json.loads((folder / "run.json").read_text())["header"]
    assert (header["playbook"], header["entry"]) == ("assess", "look")
    assert began(project) == [("deliver", "again"), ("report", "month"), ("verify", "sealed")]


def test_what_awx_starts_is_recorded_for_the_entry_of_its_schedule(project: Project, tmp_path: Path) -> None:
    keeping = {"project": {"url": "https://git.example/k.git", "branch": "v1"}, "environment": {"image": "ee:1"}}
    made = rendering.definitions(
        rendering.Told(
            client=Client(id="acme", name="Acme Ltd", timezone="Europe/Amsterdam"),
            awx=awx_model.Awx.model_validate(keeping),
            schedule={"again": Entry.model_validate({"playbook": "deliver", "every": "15m"})},
            services=(),
            windows=(),
            playbooks=("deliver",),
            year=2026,
        )
    )
    [schedule], [template] = made["controller_schedules"], made["controller_templates"]
    place = write(tmp_path, keepwell_schedule={"again": {"playbook": "deliver", "every": "15m"}})
    # AWX hands the variables of a template over as extra variables, and its own behind them.
    for own in ({"awx_schedule_name": schedule["name"]}, {}):
        told = json.dumps({**template["extra_vars"], "keepwell_state_dir": str(project.state), **own})
        outcome = project.play("deliver", place, "-e", told)
        assert outcome.rc == 0, outcome.output
    assert began(project) == [("deliver", "again"), ("deliver", "")]


def test_a_run_tells_what_is_not_as_it_was_installed(project: Project, tmp_path: Path) -> None:
    place = write(tmp_path)
    path = "/etc/cron.d/keepwell-acme"
    record = {
        "schema_version": "1.0",
        "node": socket.gethostname(),
        "kind": "cron",
        "written": "x",
        "files": {path: "0" * 64},
    }
    (project.state / "acme").mkdir(parents=True)
    (project.state / "acme" / "schedule.json").write_text(json.dumps(record))
    outcome = project.play("assess", place, "-e", "keepwell_subset=system")
    assert outcome.rc == 0, outcome.output
    run = outcome.run("acme")
    [result] = [result for result in run["hosts"][0]["results"] if result["check"] == "availability.schedule"]
    states = {finding.get("object", ""): finding["state"] for finding in result["findings"]}
    assert states.pop("cron", "act") == "act"  # whether cron runs on this machine does not matter here
    assert states == {"": "watch", "keepwell-acme": "act"}
    # Another control node has nothing to say of it.
    (project.state / "acme" / "schedule.json").write_text(json.dumps({**record, "node": "elsewhere"}))
    run = project.play("assess", place, "-e", "keepwell_subset=system").run("acme")
    assert "availability.schedule" in run["hosts"][0]["not_applicable"]
