"""playbooks/watch.yml over simulated Windows hosts: beats by both connections, an outage, a service that is down."""

from __future__ import annotations

import json
import time
import typing as t
from pathlib import Path

from harness import Outcome, Project
from windows_host.host import WindowsHost
from windows_host.mixed import client

WATCHED = {"services": {"watched": ["spooler"]}}


def beat(project: Project, hosts: Path) -> Outcome:
    time.sleep(1.1)  # beats are told apart by seconds
    outcome = project.play("watch", hosts)
    assert "Traceback" not in outcome.output, outcome.output
    return outcome


def samples(project: Project, host: str) -> list[dict[str, t.Any]]:
    lines = [
        json.loads(line)
        for path in sorted((project.state / "bakery" / "watch").glob("*.jsonl"))
        for line in path.read_text().splitlines()
    ]
    return [line["hosts"][host] for line in lines if host in line.get("hosts", {})]


def test_a_service_that_goes_down_and_a_host_that_starts_again(
    project: Project, windows: t.Any, tmp_path: Path
) -> None:
    world = windows(WindowsHost("win-a", "2022", reboot_s=0.1), WindowsHost("win-b", "2019"))
    folder = client(tmp_path / "bakery", world, {}, transports=("psrp", "winrm"), keepwell_probes=WATCHED)
    first = beat(project, folder)
    assert first.rc == 0, first.output
    assert "2 of 2 hosts answer" in first.output
    [known] = samples(project, "win-a")
    assert known["watched"] == ["Spooler"]
    assert known["room"]["C:\\"][2] > 0
    world["win-b"].services["spooler"].state = "stopped"
    second = beat(project, folder)
    assert "Spooler should run here" in second.output, second.output
    [found] = samples(project, "win-b")[-1]["findings"]
    assert (found["check"], found["object"], found["state"]) == ("services.watched", "Spooler", "crit")
    world["win-a"].reboot(0.0)
    time.sleep(1.0)
    third = beat(project, folder)
    assert third.rc == 0, third.output
    assert samples(project, "win-a")[-1]["boot"] != known["boot"]
    asked = world["win-a"].called("watch/look")
    assert [call.arguments["request"]["parts"] for call in asked] == [["disks", "system", "services"]] * 3
    assert not world["win-a"].changed("file")


def test_a_host_that_does_not_let_keepwell_in_is_not_down(project: Project, windows: t.Any, tmp_path: Path) -> None:
    world = windows(WindowsHost("win-a"), WindowsHost("win-b"))
    for host in world.hosts.values():
        host.faults.wrong_password = True
    folder = client(tmp_path / "bakery", world, {}, transports=("psrp", "winrm"))
    beat(project, folder)
    assert {samples(project, name)[-1]["answer"] for name in world.hosts} == {"unknown"}
