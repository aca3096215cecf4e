"""playbooks/antivirus.yml over simulated Windows hosts: what is planned, done and recorded there, and what is left alone."""

from __future__ import annotations

import json
import sys
import typing as t
from pathlib import Path

import pytest
from harness import Outcome, Project, inventory
from windows_host.host import WindowsHost
from windows_host.models.antivirus import DETECTED, QUARANTINED, Protection, found
from windows_host.models.patching import begin_round
from windows_host.work import Works

CLIENT = "office"
OPEN_ALWAYS = {
    "nights": {
        "rule": {"weekly": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]},
        "start": "00:00",
        "duration": "48h",
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
        file = inventory(self.project.state.parent / "office.yml", self.hosts, **{**VARIABLES, **variables})
        return self.project.play("antivirus", file, *arguments)

    @property
    def newest(self) -> Path:
        return sorted((self.project.state / CLIENT / "runs").iterdir())[-1]

    def change(self, host: str) -> dict[str, t.Any]:
        return json.loads((self.newest / "changes" / f"{host}.antivirus.json").read_text())

    def states(self, host: str) -> dict[str, str]:
        told = json.loads((self.newest / "detections" / f"{host}.json").read_text())["detections"]
        return {entry["name"]: entry["state"] for entry in told}

    def result(self, host: str, check: str) -> dict[str, t.Any]:
        results = json.loads((self.newest / "hosts" / f"{host}.json").read_text())["result"]["results"]
        return next(result for result in results if result["check"] == check)

    def finding(self, host: str, check: str) -> dict[str, t.Any]:
        return t.cast("dict[str, t.Any]", self.result(host, check)["findings"][0])

    @property
    def report(self) -> Path:
        return sorted((self.project.state / CLIENT / "reports").iterdir())[-1]

    def plan(self, host: str) -> dict[str, t.Any]:
        return json.loads((self.newest / "plans" / f"{host}.antivirus.json").read_text())


def touched(*hosts: WindowsHost) -> list[str]:
    return [f"{host.name} {change.kind} {change.what}" for host in hosts for change in host.changes]


def test_check_mode_announces_and_changes_nothing(project: Project, windows: t.Any) -> None:
    host = old("win01")
    host.services["windefend"].state = "stopped"
    office = Office(project, windows, host)
    outcome = office.play("--check", *ACT)
    assert outcome.rc == 0, outcome.output
    assert "win01: 0 open detections" in outcome.output
    assert [step["name"] for step in office.plan("win01")["steps"]] == ["repair", "update", "scan"]
    assert "repair: Start WinDefend." in outcome.output
    assert touched(host) == []
    assert {call.name for call in host.calls if call.name.startswith("antivirus/")} == {"antivirus/look"}
    assert all(call.check_mode for call in host.called("antivirus/look"))


@pytest.mark.parametrize("transport", ["psrp", pytest.param("winrm", marks=pytest.mark.long)])
def test_definitions_are_newer_afterwards_and_a_second_run_changes_nothing(
    project: Project, windows: t.Any, transport: str
) -> None:
    host = old("win01")
    office = Office(project, windows, host, transport=transport)
    first = office.play(*ACT)
    assert first.rc == 0, first.output
    change = office.change("win01")
    assert change["outcome"] == "done"
    (told,) = change["antivirus"]["definitions"]
    assert (told["engine"], told["result"]) == ("Defender", "updated")
    assert (told["disk_before"], told["disk_after"]) == ("1.419.100.0", "1.441.100.0")
    assert change["antivirus"]["scan"]["whole"] is True
    assert change["antivirus"]["scan"].get("files") is None
    assert touched(host) == ["win01 definitions 1.441.100.0"]
    second = office.play(*ACT)
    assert second.rc == 0, second.output
    assert office.change("win01")["antivirus"]["definitions"][0]["result"] == "current"
    assert touched(host) == ["win01 definitions 1.441.100.0"]
    # The program is not sent along: the module that asks has it.
    assert all("program" not in call.arguments["request"] for call in host.called("antivirus/start"))


def test_an_update_that_says_it_went_well_and_brings_nothing_is_a_failure(project: Project, windows: t.Any) -> None:
    liar, refused, fine = old("win01"), old("win02"), old("win03")
    liar.of(Protection).available = None
    refused.defender.update_fails = 0x80072EE7
    refused.of(Protection).sources = ["InternalDefinitionUpdateServer", "MMPC"]
    refused.of(Protection).wsus = "http://wsus.office.example:8530"
    office = Office(project, windows, liar, refused, fine)
    outcome = office.play(*ACT, antivirus_scan=False)
    assert outcome.rc == 2, outcome.output
    for name, words in (
        ("win01", "its sources answered (sources: MicrosoftUpdateServer, MMPC)"),
        ("win02", "0x80072ee7"),
    ):
        change = office.change(name)
        assert (change["outcome"], change["code"]) == ("failed", "not_updated")
        assert words in change["text"]
    assert "http://wsus.office.example:8530" in office.change("win02")["text"]
    assert any("not approved there" in line for line in office.plan("win02")["warnings"])
    assert office.change("win03")["outcome"] == "done"


def test_what_a_scan_finds_is_followed_to_its_end_by_the_record_of_defender(project: Project, windows: t.Any) -> None:
    host = old("win01")
    host.of(Protection).infected = [
        ("Trojan:Win32/Emotet", r"C:\Users\jan\invoice.exe", QUARANTINED),
        ("HackTool:Win32/Mimikatz", r"C:\Tools\m.exe", DETECTED),
    ]
    host.defender.detections = [found("Virus:DOS/EICAR_Test_File", r"C:\old.com", DETECTED, host.now() - 86400.0, 7)]
    office = Office(project, windows, host)
    outcome = office.play(*ACT)
    change = office.change("win01")
    assert change["outcome"] == "done", outcome.output
    told = {entry["name"]: entry for entry in change["antivirus"]["detections"]}
    assert told["Trojan:Win32/Emotet"]["outcome"] == "quarantined"
    assert told["Trojan:Win32/Emotet"]["by"] == "Defender"
    assert told["Trojan:Win32/Emotet"].get("quarantine_id", "") == ""
    assert (told["HackTool:Win32/Mimikatz"]["outcome"], told["HackTool:Win32/Mimikatz"]["text"]) == (
        "open",
        "Defender has not acted on it yet",
    )
    assert "HackTool:Win32/Mimikatz, open" in " ".join(change["residual"])
    assert touched(host) == ["win01 definitions 1.441.100.0", r"win01 malware C:\Users\jan\invoice.exe"]
    # The assessment afterwards tells their life: one is over, two are open.
    assert office.states("win01") == {
        "Trojan:Win32/Emotet": "cleared",
        "HackTool:Win32/Mimikatz": "open",
        "Virus:DOS/EICAR_Test_File": "open",
    }
    finding = office.finding("win01", "antivirus.detections")
    assert finding["summary"].startswith("Microsoft Defender Antivirus found")
    assert "HackTool:Win32/Mimikatz" in (office.report / "findings.csv").read_text()
    # A person looks after it; Defender's own record ends it, and the next scan tells.
    for entry in host.defender.detections:
        entry.update(found(entry["name"], entry["resources"][0], 4, host.now()), id=entry["id"])
    host.of(Protection).infected = []
    before = {entry["id"] for entry in host.defender.detections}
    assert office.play(*ACT).rc == 0
    assert not office.change("win01")["antivirus"].get("detections")
    assert before == {entry["id"] for entry in host.defender.detections}
    assert set(office.states("win01").values()) == {"cleared"}
    assert office.result("win01", "antivirus.detections")["state"] == "ok"


def test_paths_are_hidden_where_the_client_wants_that(project: Project, windows: t.Any) -> None:
    host = old("win01")
    host.of(Protection).infected = [("Trojan:Win32/Emotet", r"C:\Users\jan\invoice.exe", QUARANTINED)]
    office = Office(project, windows, host)
    assert office.play(*ACT, antivirus_paths="hidden").rc == 0
    told = json.dumps(office.change("win01"))
    assert "invoice" not in told and "C:" not in told


def test_where_another_product_is_the_engine_nothing_is_done(project: Project, windows: t.Any) -> None:
    passive = old("win01", "11-24H2")
    passive.defender.mode = "Passive Mode"
    passive.of(Protection).rivals = [("Sophos Intercept X", True)]
    down = old("win02", "10-22H2")
    down.services["windefend"].state = "stopped"
    down.of(Protection).rivals = [("ESET Security", True)]
    office = Office(project, windows, passive, down)
    outcome = office.play(*ACT)
    assert outcome.rc == 0, outcome.output
    assert touched(passive, down) == []
    for host, name in ((passive, "Sophos Intercept X"), (down, "ESET Security")):
        change = office.change(host.name)
        assert change["outcome"] == "nothing"
        assert f"{name} is the engine of this host" in change["text"]
        assert not host.called("antivirus/start")


def test_a_defender_that_is_down_is_started_only_where_nothing_stands_against_it(
    project: Project, windows: t.Any
) -> None:
    down, disabled, stuck = old("win01"), old("win02"), old("win03")
    for host in (down, disabled, stuck):
        host.services["windefend"].state = "stopped"
    disabled.services["windefend"].start_mode = "disabled"
    stuck.services["windefend"].start_fails = True
    office = Office(project, windows, down, disabled, stuck)
    outcome = office.play(*ACT, antivirus_scan=False)
    assert outcome.rc == 2, outcome.output
    first = office.change("win01")
    assert (first["outcome"], first["antivirus"]["repaired"]) == ("done", {"WinDefend": "started: started"})
    assert first["antivirus"]["evidence"] == {"WinDefend": "2026-11-27T03:00:00Z System 7031"}
    assert touched(down) == ["win01 service WinDefend started", "win01 definitions 1.441.100.0"]
    assert touched(disabled) == []
    steps = {step["name"]: step for step in office.plan("win02")["steps"]}
    assert steps["update"]["code"] == "defender_stopped"
    assert "somebody wants it never to run" in steps["repair"]["text"]
    assert office.change("win03")["code"] == "repair_failed"


def test_a_server_without_any_engine_is_refused_and_one_that_cannot_be_read_too(
    project: Project, windows: t.Any
) -> None:
    bare, mute, other = old("win01"), old("win02"), old("win03")
    bare.of(Protection).installed = False
    mute.of(Protection).readable = False
    other.of(Protection).installed = False
    other.of(Protection).rivals = [("CrowdStrike Falcon", True)]
    office = Office(project, windows, bare, mute, other)
    outcome = office.play(*ACT)
    assert outcome.rc == 2, outcome.output
    assert (office.change("win01")["outcome"], office.change("win01")["code"]) == ("refused", "no_engine")
    assert (office.change("win02")["outcome"], office.change("win02")["code"]) == ("refused", "defender_unreadable")
    assert "0x800106ba" in office.change("win02")["text"]
    assert office.change("win03")["outcome"] == "nothing"
    assert touched(bare, mute, other) == []


def test_what_says_nothing_on_windows_is_named_and_no_error(project: Project, windows: t.Any) -> None:
    host = old("win01")
    office = Office(project, windows, host)
    outcome = office.play(
        *ACT,
        antivirus_quarantine=True,
        antivirus_scan_paths=["/srv"],
        antivirus_scan_limits={"minutes": 30, "cpu_percent": 20},
    )
    assert outcome.rc == 0, outcome.output
    assert "quarantine: left: Defender moves what it finds into its own quarantine" in " ".join(outcome.output.split())
    (line,) = office.plan("win01")["warnings"]
    assert line.endswith("without meaning on Windows: antivirus_scan_paths, antivirus_scan_limits.cpu_percent")
    asked = host.called("antivirus/start")[0].arguments["request"]
    assert asked["steps"] == ["repair", "update", "scan"]
    assert (asked["scan"]["kind"], asked["scan"]["seconds"]) == ("quick", 1800.0)


def test_everything_is_a_full_scan_and_the_time_is_kept(project: Project, windows: t.Any) -> None:
    host = old("win01")
    host.of(Protection).scan_lasts_s = 7200.0
    office = Office(project, windows, host)
    outcome = office.play(*ACT, antivirus_scan_paths=["/"])
    assert outcome.rc == 0, outcome.output
    scan = office.change("win01")["antivirus"]["scan"]
    assert (scan["scanner"], scan["whole"]) == ("Full scan by Defender", False)
    assert "the time was over" in " ".join(office.change("win01")["residual"])


def test_work_that_is_ended_from_outside_is_told(project: Project, windows: t.Any) -> None:
    host = old("win01")
    host.of(Works).interrupted = True
    office = Office(project, windows, host)
    assert office.play(*ACT).rc == 2
    assert (office.change("win01")["outcome"], office.change("win01")["code"]) == ("failed", "interrupted")


def test_nothing_is_begun_while_updates_are_installed(project: Project, windows: t.Any) -> None:
    """A round of updates that nobody follows any more goes on by itself, and holds no lock."""
    host = old("win01")
    begun = begin_round(host)
    office = Office(project, windows, host)
    office.play(*ACT)
    record = office.change("win01")
    assert (record["outcome"], record["code"]) == ("refused", "host_locked")
    assert f"Keepwell is at work on this host already: patching {begun} of run " in record["text"]
    assert host.changes == []


def test_work_whose_end_nobody_saw_is_taken_up_by_the_next_run(project: Project, windows: t.Any) -> None:
    host = old("win01")
    host.faults.breaks = {"antivirus/status"}
    office = Office(project, windows, host)
    assert office.play(*ACT, antivirus_scan=False).rc in (2, 4)
    assert (office.change("win01")["outcome"], office.change("win01")["code"]) == ("lost", "no_end")
    begun = office.newest.name
    host.faults.breaks = set()
    assert office.play(*ACT, antivirus_scan=False).rc == 0
    change = office.change("win01")
    assert (change["outcome"], change["begun_by"]) == ("done", begun)
    assert change["antivirus"]["definitions"][0]["result"] == "updated"
    assert len(host.called("antivirus/start")) == 1


def test_hosts_of_both_systems_are_in_one_announcement(project: Project, windows: t.Any) -> None:
    host = old("win01")
    office = Office(project, windows, host)
    office.hosts["here"] = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    outcome = office.play("--check", antivirus_scan=False, antivirus_repair=False)
    assert outcome.rc == 0, outcome.output
    assert office.plan("win01")["scanner"] == "defender"
    assert office.plan("here").get("left", {}) == {}
    assert touched(host) == []
