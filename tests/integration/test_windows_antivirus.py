"""playbooks/antivirus.yml over simulated Windows hosts: what is planned, done and recorded there, and what is left alone."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from harness import Outcome, Project, inventory
from windows_host.host import WindowsHost
from windows_host.models.antivirus import DETECTED, QUARANTINED, Protection, found

CLIENT = "office"
OPEN_ALWAYS = {
    "nights": {
        "rule": {"weekly": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]},
        "start": "00:00",
        "duration": "24h",
        "allow": ["antivirus"],
    }
}
VARIABLES: dict[str, t.Any] = {
    "keepwell_client": {"id": CLIENT, "name": "Office"},
    "keepwell_plan": {"name": "Care", "services": ["monitoring", "antivirus"]},
    "keepwell_windows": OPEN_ALWAYS,
    "antivirus_splay_minutes": 0,
    "antivirus_update": True,
    "antivirus_repair": True,
    "antivirus_scan": True,
}
ACT = ("-e", '{"antivirus_act": true}')
STALE_H = 24.0 * 9


def old(name: str, version: str = "2022") -> WindowsHost:
    """A host whose definitions are nine days old, with newer ones to be had."""
    host = WindowsHost(name, version)
    host.defender.signature_age_h = STALE_H
    host.of(Protection).available = "1.441.100.0"
    return host


class Office:
    """The client, over one connection."""

    def __init__(self, project: Project, windows: t.Any, *hosts: WindowsHost, transport: str = "psrp") -> None:
        self.project = project
        self.hosts = windows(*hosts).inventory(transport)

    def play(self, *arguments: str, **variables: t.Any) -> Outcome:
        file = inventory(
            self.project.state.parent / "office.yml", self.hosts, **{**VARIABLES, **variables}
        )
        return self.project.play("antivirus", file, *arguments)

    @property
    def newest(self) -> Path:
        return sorted((self.project.state / CLIENT / "runs").iterdir())[-1]

    def change(self, host: str) -> dict[str, t.Any]:
        return json.loads((self.newest / "changes" / f"{host}.antivirus.json").read_text())

    def plan(self, host: str) -> dict[str, t.Any]:
        return json.loads((self.newest / "plans" / f"{host}.antivirus.json").read_text())


def test_probe(project: Project, windows: t.Any) -> None:
    host = old("win01")
    office = Office(project, windows, host)
    outcome = office.play()
    print(outcome.output[-6000:])
    print(json.dumps(office.plan("win01"), indent=1))
    assert 0
