"""playbooks/backup_verify.yml over simulated Windows hosts: Windows Server Backup, Veeam Agent and restic."""

from __future__ import annotations

import json
import time
import typing as t
from pathlib import Path

import pytest
from harness import Outcome, Project, inventory
from windows_host.host import WindowsHost
from windows_host.models.backup_verification import Backups, Session, back_up, snapshot
from windows_host.models.patching import begin_round

CLIENT = "office"
ACT = ("-e", '{"backup_verification_act": true}')
EVERYDAY = {
    "always": {
        "rule": {"weekly": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]},
        "start": "00:00",
        "duration": "48h",
        "allow": ["backup_verification"],
    }
}
CANARY = r"D:\Data\.keepwell-canary"
DAY = 86400.0


def dataset(**more: t.Any) -> dict[str, t.Any]:
    return {
        "id": "files",
        "protects": "The files of the office",
        "tool": "windows_server_backup",
        "repository": "E:",
        "sources": [r"D:\Data"],
        "expected_paths": [r"D:\Data\contracts"],
        "canary": {"path": CANARY},
        "offsite_required": False,
        "immutable_required": False,
        **more,
    }


def server(name: str = "win01") -> WindowsHost:
    """A file server with Windows Server Backup and 30 files."""
    host = WindowsHost(name, "2019")
    for number in range(30):
        host.files.write(rf"D:\Data\contracts\{number:02d}.pdf", f"contract {number}".encode() * 50)
    host.of(Backups).versions = []
    return host


class Office:
    """The client, over one connection."""

    def __init__(self, project: Project, windows: t.Any, *hosts: WindowsHost, transport: str = "psrp") -> None:
        self.project = project
        self.hosts = windows(*hosts).inventory(transport)
        self.datasets = {host.name: [dataset()] for host in hosts}

    def play(self, *arguments: str, **variables: t.Any) -> Outcome:
        hosts = {
            name: {**told, "backup_verification_datasets": self.datasets[name]} for name, told in self.hosts.items()
        }
        file = inventory(
            self.project.state.parent / "office.yml",
            hosts,
            **{
                "keepwell_client": {"id": CLIENT, "name": "Office"},
                "keepwell_plan": {"name": "Care", "services": ["monitoring", "backup_verification"]},
                "keepwell_windows": EVERYDAY,
                **variables,
            },
        )
        return self.project.play("backup_verify", file, "-vvv", *arguments)

    @property
    def newest(self) -> Path:
        return sorted((self.project.state / CLIENT / "runs").iterdir())[-1]

    def document(self, host: str = "win01", name: str = "files") -> dict[str, t.Any]:
        return json.loads((self.newest / "backups" / f"{host}.{name}.json").read_text())

    def change(self, host: str = "win01") -> dict[str, t.Any]:
        return json.loads((self.newest / "changes" / f"{host}.backup_verification.json").read_text())

    def verdicts(self, host: str = "win01") -> dict[str, dict[str, t.Any]]:
        """The checks of datasets by their short name: state and the finding, if there is one."""
        told = json.loads((self.newest / "hosts" / f"{host}.json").read_text())
        found = {}
        for result in told["result"]["results"]:
            if result["check"].startswith("backup."):
                found[result["check"].removeprefix("backup.")] = next(iter(result.get("findings", [])), result)
        return found


def made(*hosts: WindowsHost) -> list[str]:
    return [f"{change.kind} {change.what}" for host in hosts for change in host.changes]


@pytest.mark.parametrize("transport", ["psrp", pytest.param("winrm", marks=pytest.mark.long)])
def test_a_canary_and_a_sample_come_back_and_are_proven(project: Project, windows: t.Any, transport: str) -> None:
    host = server()
    office = Office(project, windows, host, transport=transport)
    back_up(host, time.time() - 7200)
    first = office.play(*ACT)
    assert first.rc == 0, first.output
    # The backup is older than the canary: it is asked for another time, and a sample is proven all the same.
    steps = {step["name"]: step for step in office.change()["steps"]}
    assert steps["win01/files canary"]["text"].startswith("The canary was first written after the newest snapshot")
    assert steps["win01/files sample"]["text"] == "proven: 20 files came back: 20 identical."
    assert office.verdicts()["freshness"]["state"] == "ok"
    assert office.verdicts()["completeness"]["state"] == "ok"
    assert office.verdicts()["restorability"]["state"] == "ok"
    integrity = office.verdicts()["integrity"]
    assert (integrity["state"], "only restoring proves it" in integrity["summary"]) == ("unknown", True)
    assert office.document()["due"][0]["target"] == r"C:\ProgramData\Keepwell\sandbox"
    back_up(host, time.time() + 0.5)
    time.sleep(1)
    second = office.play(*ACT)
    assert second.rc == 0, second.output
    (proof,) = office.document()["proofs"]
    assert (proof["kind"], proof["outcome"]) == ("canary", "proven")
    assert proof["canary"]["text"] == "Version 1 came back as it was when the snapshot began."
    assert made(host) == [f"canary {CANARY}", *["sandbox made", "sandbox removed"] * 2]
    third = office.play(*ACT)
    assert third.rc == 0, third.output
    assert office.change()["outcome"] == "nothing"
    assert len(made(host)) == 5
    # Files of one folder go into one call of wbadmin, and nothing is told to it but their names.
    asked = host.called("backup_verification/start")[0].arguments["request"]
    assert [group["folder"] for group in asked["wanted"]["groups"]] == [r"D:\Data\contracts"]
    assert "program" not in asked


def test_check_mode_and_a_look_change_nothing(project: Project, windows: t.Any) -> None:
    host = server()
    back_up(host, time.time() - 7200)
    office = Office(project, windows, host)
    for arguments in (("--check", *ACT), ()):
        outcome = office.play(*arguments)
        assert outcome.rc == 0, outcome.output
        assert r"Into: C:\ProgramData\Keepwell\sandbox" in outcome.output
        assert "Restore 21 files" in outcome.output or "Restore 20 files" in outcome.output
    asked = {call.name for call in host.calls if call.name.startswith("backup_verification/")}
    assert asked == {"backup_verification/look", "backup_verification/plan"}
    assert made(host) == []


def test_a_wrong_canary_and_a_changed_file_are_found(project: Project, windows: t.Any) -> None:
    host = server()
    office = Office(project, windows, host)
    back_up(host, time.time() - 7200)
    office.play(*ACT)
    version = back_up(host, time.time() + 0.5)
    version.content[CANARY] = version.content[CANARY].replace(b'"version": 1', b'"version": 7')
    time.sleep(1)
    outcome = office.play(*ACT)
    assert outcome.rc == 0, outcome.output
    verdict = office.verdicts()["restorability"]
    assert (verdict["state"], verdict["observed"].split(" (")[0]) == ("crit", "canary wrong")
    # A sample that holds something else than the live file, which nobody touched.
    # A minute later: versions are called by the minute.
    rotten = back_up(host, time.time() + 60)
    for path in list(rotten.content):
        if path.endswith(".pdf"):
            rotten.content[path] = b"encrypted"
    time.sleep(1)
    office.play(*ACT, backup_verification_now=["files/sample"])
    proof = next(entry for entry in office.document()["proofs"] if entry["kind"] == "sample")
    assert proof["outcome"] == "failed"
    assert len(proof["mismatches"]) == 20


def test_backups_that_failed_or_stand_still_are_judged_from_what_is_there(project: Project, windows: t.Any) -> None:
    fresh, failed, stale, bare, partial = (server(f"win0{number}") for number in range(1, 6))
    now = time.time()
    back_up(fresh, now - 7200)
    back_up(failed, now - 7200 - DAY)
    # 0x8078015B and 0x80780049 of wbengine: 2155348315, 2155348041.
    failed.of(Backups).last = (now - 7200, 2155348315, 0)
    back_up(stale, now - 9 * DAY)
    bare.of(Backups).versions = None
    back_up(partial, now - 7200, volumes=("C:",))
    office = Office(project, windows, fresh, failed, stale, bare, partial)
    outcome = office.play()
    assert outcome.rc == 0, outcome.output
    state = {name: {key: value["state"] for key, value in office.verdicts(name).items()} for name in office.hosts}
    assert (state["win01"]["freshness"], state["win01"]["completeness"]) == ("ok", "ok")
    assert (state["win02"]["freshness"], state["win02"]["completeness"]) == ("watch", "act")
    assert office.verdicts("win02")["completeness"]["observed"] == "the last run failed (0x8078015b)"
    assert state["win03"]["freshness"] == "crit"
    assert state["win04"]["freshness"] == "unknown"
    assert "feature Windows Server Backup is not installed" in office.document("win04")["look"]["detail"]
    # Its versions have another volume: of this dataset there is none.
    assert state["win05"]["freshness"] == "crit"


def test_what_cannot_be_removed_is_told_and_removed_by_the_next_run(project: Project, windows: t.Any) -> None:
    host = server()
    back_up(host, time.time() - 7200)
    host.of(Backups).stuck_sandbox = True
    office = Office(project, windows, host)
    assert office.play(*ACT).rc == 2
    assert office.change()["code"] == "left_behind"
    host.of(Backups).stuck_sandbox = False
    office.play(*ACT)
    assert any(step["name"] == "clean_up" and step["outcome"] == "done" for step in office.change()["steps"])
    assert host.of(Backups).sandboxes == {}


def test_nothing_is_restored_while_updates_are_installed(project: Project, windows: t.Any) -> None:
    """A round of updates that nobody follows any more goes on by itself, and holds no lock."""
    host = server()
    back_up(host, time.time() - 7200)
    begun = begin_round(host)
    office = Office(project, windows, host)
    office.play(*ACT)
    [step] = [entry for entry in office.change()["steps"] if entry["name"] == "win01/files sample"]
    assert f"Keepwell is at work on this host already: patching {begun} of run " in step["text"]
    assert "sandbox made" not in made(host)


def test_a_recovery_that_wbadmin_refuses_is_no_verdict_on_the_backup(project: Project, windows: t.Any) -> None:
    host = server()
    back_up(host, time.time() - 7200)
    host.of(Backups).recovery_rc = 0x80780081 - (1 << 32)
    office = Office(project, windows, host)
    assert office.play(*ACT).rc == 2
    (proof,) = office.document()["proofs"]
    assert (proof["outcome"], proof["code"]) == ("error", "restore_failed")
    assert "(0x80780081)" in proof["errors"][0]
    assert office.verdicts()["restorability"]["state"] == "act"


def test_veeam_is_judged_by_its_sessions_and_proves_no_restore(project: Project, windows: t.Any) -> None:
    host = server()
    now = time.time()
    sessions = [Session(now - 2 * DAY), Session(now - DAY), Session(now - 3600, "warning", text="Low on space")]
    host.of(Backups).sessions = sessions
    office = Office(project, windows, host)
    veeam = {"tool": "veeam_agent", "repository": "Daily", "expected_paths": [], "canary": None}
    hand = {"date": time.strftime("%Y-%m-%d"), "by": "J. Smit", "text": "Three folders, opened by the owner."}
    office.datasets["win01"] = [
        dataset(**veeam),
        dataset(**veeam, id="byhand", restored_by_hand=hand),
        dataset(**{**veeam, "repository": "Weekly"}, id="gone"),
    ]
    outcome = office.play(*ACT)
    assert outcome.rc == 0, outcome.output
    told = json.loads((office.newest / "hosts" / "win01.json").read_text())["result"]["results"]
    found = {
        (result["check"].removeprefix("backup."), finding["object"]): finding
        for result in told
        for finding in result.get("findings", [])
        if "object" in finding
    }
    assert ("freshness", "files") not in found
    assert found["completeness", "files"]["state"] == "unknown"
    assert "ended with a warning. Low on space" in found["completeness", "files"]["summary"]
    assert found["restorability", "files"]["state"] == "unknown"
    assert "restores only where a person clicks" in found["restorability", "files"]["summary"]
    assert found["restorability", "byhand"]["state"] == "watch"
    assert "J. Smit says to have restored from it by hand" in found["restorability", "byhand"]["summary"]
    assert found["freshness", "gone"]["state"] == "crit"
    assert "Its jobs are: Daily." in found["freshness", "gone"]["summary"]
    assert office.change()["outcome"] == "nothing"
    host.of(Backups).sessions = [*sessions, Session(now - 60, "failed", text="Disk is full")]
    office.play()
    assert "failed. Disk is full" in office.verdicts()["completeness"]["summary"]


def test_restic_on_windows_is_read_restored_and_keeps_its_secret(project: Project, windows: t.Any) -> None:
    host = server()
    snapshot(host, time.time() - 7200)
    office = Office(project, windows, host)
    restic = {"tool": "restic", "repository": "rest:https://backup.example.com/office", "canary": None}
    right = {"environment": {"RESTIC_PASSWORD": "right"}}
    office.datasets["win01"] = [dataset(**restic, credentials=right), dataset(tool="borg", id="old", canary=None)]
    outcome = office.play(*ACT)
    assert outcome.rc == 0, outcome.output
    proofs = {proof["kind"]: proof for proof in office.document()["proofs"]}
    assert (proofs["sample"]["outcome"], proofs["sample"]["identical"]) == ("proven", 20)
    assert proofs["subset"]["outcome"] == "proven"
    assert office.document()["look"]["missing"] in ([], None)
    assert "Borg has no build for Windows" in office.document(name="old")["look"]["detail"]
    asked = host.called("backup_verification/start")[-1].arguments
    assert "right" not in json.dumps(asked["request"])
    assert asked["secrets"] == {"RESTIC_PASSWORD": "right"}
    host.of(Backups).password = "another"
    office.play()
    assert office.document()["look"]["status"] == "bad_password"
    host.of(Backups).password = "right"
    host.of(Backups).damaged = "repository contains errors"
    office.play(*ACT, backup_verification_now=["files/subset"])
    assert office.verdicts()["integrity"]["state"] == "crit"


def test_a_test_whose_end_nobody_saw_is_taken_up_by_the_next_run(project: Project, windows: t.Any) -> None:
    host = server()
    back_up(host, time.time() - 7200)
    host.faults.breaks = {"backup_verification/status"}
    office = Office(project, windows, host)
    office.datasets["win01"] = [dataset(canary=None)]
    assert office.play(*ACT).rc in (2, 4)
    assert office.change()["outcome"] == "lost"
    host.faults.breaks = set()
    outcome = office.play(*ACT)
    assert outcome.rc == 0, outcome.output
    (proof,) = office.document()["proofs"]
    assert (proof["kind"], proof["outcome"]) == ("sample", "proven")
    assert len(host.called("backup_verification/start")) == 1
