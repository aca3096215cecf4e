"""Real Linux hosts and simulated Windows hosts in one client: the playbooks run over both as they are."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from harness import Project
from lab.hosts import Lab, Wanted
from windows_host.mixed import client
from windows_host.state import VERSIONS, Update
from windows_host.world import several

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

LINUX = tuple(Wanted(f"mixed-{name}", name) for name in ("debian-12", "el9-emulation", "suse-emulation"))
PLAN = {"name": "Care", "services": ["monitoring", "patching", "antivirus", "backup_verification", "disk_cleanup"]}


# maintain.yml has all chores in it; each by itself takes its time.
ALONE = [pytest.param(name, marks=pytest.mark.long) for name in ("patch", "antivirus", "backup_verify", "disk_cleanup")]


@pytest.mark.parametrize("playbook", ["assess", "maintain", *ALONE])
def test_a_playbook_runs_over_linux_and_windows_hosts_and_makes_one_report(
    lab: Lab, windows: t.Any, project: Project, tmp_path: Path, playbook: str
) -> None:
    lab.start([wanted for wanted in LINUX if wanted.name not in lab.hosts])
    world = windows(*several(20, versions=tuple(VERSIONS)))
    for host in world.hosts.values():
        host.windows_update.updates.append(Update("0a1b", "2026-11 Cumulative Update", ("5031364",), needs_reboot=True))
    linux = {wanted.name: lab.hosts[wanted.name].variables("ops") for wanted in LINUX}
    outcome = project.play(playbook, client(tmp_path / "mixed", world, linux, keepwell_plan=PLAN), timeout=400)
    assert outcome.rc == 0, outcome.output
    assert "Traceback" not in outcome.output
    (run,) = (outcome.state / "mixed" / "runs").iterdir()
    evidence = {path.stem: json.loads(path.read_text())["result"] for path in (run / "hosts").glob("*.json")}
    assert set(evidence) == {*linux, *world.hosts}
    assert all(result["contact"]["reached"] for result in evidence.values())
    pending = {
        name: next(found["state"] for found in result["results"] if found["check"] == "patching.security_pending")
        for name, result in evidence.items()
    }
    assert {pending[name] for name in world.hosts} <= {"watch", "act", "crit"}
    if playbook in ("maintain", "patch"):
        # Every kind of system has a canary of its own, whatever the names are.
        schedule = json.loads((run / "patching" / "schedule.json").read_text())
        assert {schedule["kinds"][name] for name in linux} == {"debian", "rhel", "suse"}
        assert {schedule["kinds"][name] for name in world.hosts} == {"windows"}
        canaries = sorted(schedule["kinds"][name] for name, ring in schedule["rings"].items() if ring == 1)
        assert canaries == ["debian", "rhel", "suse", "windows"]
    # Nobody asked for work: nothing was done, on neither system.
    assert not [change for host in world.hosts.values() for change in host.changes]
    page = next((outcome.state / "mixed" / "reports").rglob("engineer*.html")).read_text()
    assert all(name in page for name in evidence)
