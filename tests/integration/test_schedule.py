"""playbooks/schedule.yml shows and does not act, and later runs tell what differs. Real systemd and cron: tests/fleet."""

from __future__ import annotations

import json
import socket
import typing as t
from pathlib import Path

import pytest
import yaml
from harness import Outcome, Project

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
