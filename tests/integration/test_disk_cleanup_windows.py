"""playbooks/disk_cleanup.yml over simulated Windows hosts: what would go is what goes, and what stays is untouched."""

from __future__ import annotations

import json
import threading
import time
import typing as t
from pathlib import Path

import pytest
from harness import Outcome, Project, inventory
from windows_host.cleaning import Disk
from windows_host.host import WindowsHost
from windows_host.models.disk_cleanup import Growable, Works
from windows_host.models.patching import begin_round
from windows_host.state import GIB, Volume

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord

CLIENT = "cleaned"
MIB = 1024**2
TEMP, USER_TEMP = r"C:\Windows\Temp", r"C:\Users\ann\AppData\Local\Temp"
DOWNLOADED = r"C:\Windows\SoftwareDistribution\Download"
BIN = r"C:\$Recycle.Bin\S-1-5-21-1-2-3-1001"
VARIABLES: dict[str, t.Any] = {
    "keepwell_client": {"id": CLIENT, "name": "Cleaned"},
    "keepwell_plan": {"name": "Care", "services": ["monitoring", "disk_cleanup"]},
    "keepwell_subset": ["disks"],
    "disk_cleanup_target_free_percent": 15,
}
ACT = ("-e", '{"disk_cleanup_act": true}')
WINDOW = {
    "always": {
        "rule": {"weekly": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]},
        "start": "00:00",
        "duration": "48h",
        "allow": ["disk_cleanup"],
    }
}


def full_host(name: str = "win01", version: str = "2019", free: int = 2 * GIB) -> WindowsHost:
    """A host whose C: has 2 of 100 GiB free, with old and young things in the places where something may go."""
    host = WindowsHost(name, version)
    host.volumes = [Volume("C", 100 * GIB, free, "Windows", guid="5a3f7c10-0000-0000-0000-501f00000000")]
    disk = host.of(Disk)
    disk.add(rf"{TEMP}\setup.log", 300 * MIB, 200)
    disk.add(rf"{TEMP}\cab_1234_5", 900 * MIB, 60)
    disk.add(rf"{TEMP}\fresh.tmp", 50 * MIB, 2)
    disk.add(rf"{TEMP}\held.tmp", 70 * MIB, 90, open=True)
    disk.add(rf"{TEMP}\second-name.tmp", 70 * MIB, 90, links=2)
    disk.add(rf"{TEMP}\kept.tmp", 70 * MIB, 90, read_only=True)
    disk.add(rf"{TEMP}\pointer.tmp", 0, 90, link=True)
    disk.add(rf"{USER_TEMP}\old.zip", 500 * MIB, 40)
    disk.add(rf"{USER_TEMP}\report.docx", 500 * MIB, 40, cloud=True)
    disk.add(rf"{USER_TEMP}\ntuser.dat", 5 * MIB, 400)
    disk.links.add(rf"{TEMP}\elsewhere")
    disk.add(r"C:\Windows\Logs\CBS\CbsPersist_20250101000000.cab", 200 * MIB, 400)
    disk.add(r"C:\Windows\Logs\CBS\CBS.log", 200 * MIB, 400)
    disk.add(r"C:\Windows\Installer\1a2b3c.msi", 900 * MIB, 900)
    disk.add(r"C:\Shop\data.mdf", 40 * GIB, 900)
    disk.add(rf"{DOWNLOADED}\0a1b\update.cab", 600 * MIB, 30)
    disk.add(rf"{DOWNLOADED}\9f8e\young.cab", 600 * MIB, 3)
    disk.add(rf"{BIN}\$IAAAAAA.zip", 4096, 60)
    disk.add(rf"{BIN}\$RAAAAAA.zip", 800 * MIB, 500)
    disk.add(rf"{BIN}\$IBBBBBB.zip", 4096, 5)
    disk.add(rf"{BIN}\$RBBBBBB.zip", 800 * MIB, 500)
    disk.previous = [r"C:\Windows.old, 40 days old"]
    return host


class Play:
    """The playbook over these hosts, with a state directory of its own."""

    def __init__(self, folder: Path, hosts: dict[str, dict[str, t.Any]]) -> None:
        self.folder, self.hosts = folder, hosts
        self.project = Project(folder / "state")

    def __call__(self, *arguments: str, **variables: t.Any) -> Outcome:
        file = inventory(self.folder / f"{CLIENT}.yml", self.hosts, **{**VARIABLES, **variables})
        return self.project.play("disk_cleanup", file, *arguments, timeout=500)

    def change(self, outcome: Outcome, host: str = "win01") -> ChangeRecord:
        run = sorted((outcome.state / CLIENT / "runs").iterdir())[-1]
        return ChangeRecord.model_validate_json((run / "changes" / f"{host}.disk_cleanup.json").read_text())


def rules(record: ChangeRecord, done: bool = False) -> dict[str, t.Any]:
    assert record.cleanup
    return {rule.id: rule.done if done else rule.predicted for rule in record.cleanup.rules}


@pytest.mark.parametrize("transport", ["psrp", pytest.param("winrm", marks=pytest.mark.long)])
def test_what_is_announced_is_what_goes_and_a_second_run_changes_nothing(
    windows: t.Any, tmp_path: Path, transport: str
) -> None:
    host = full_host()
    play = Play(tmp_path, windows(host).inventory(transport))
    files = set(host.of(Disk).files)

    announced = play("--check")
    assert announced.rc == 0, announced.output
    assert host.changes == []
    assert set(host.of(Disk).files) == files
    seen = play.change(announced)
    assert seen.outcome == "planned"
    assert "not on this system: package_cache, journal" in announced.output
    assert "previous_windows, for a person to decide: 1 (C:\\Windows.old, 40 days old)" in announced.output

    done = play(*ACT)
    assert done.rc == 0, done.output
    record = play.change(done)
    assert record.outcome == "done", record.text
    gone = files - set(host.of(Disk).files)
    assert gone == {
        rf"{TEMP}\setup.log", rf"{TEMP}\cab_1234_5", rf"{USER_TEMP}\old.zip",
        r"C:\Windows\Logs\CBS\CbsPersist_20250101000000.cab",
    }  # fmt: skip
    # What was announced is what went, to the last path.
    for name, told in rules(seen).items():
        went = rules(record, done=True)[name]
        assert (told.list_sha256, told.files, told.bytes) == (went.list_sha256, went.files, went.bytes), name
    assert rules(seen)["temporary_files"].skipped == {
        "age": 1, "cloud": 1, "hardlink": 1, "immutable": 1, "kept": 1, "open": 1, "reparse": 2,
    }  # fmt: skip
    assert record.cleanup
    assert record.cleanup.filesystems[0].actual_bytes == 1900 * MIB
    assert record.bounded.startswith("by its own watchdog: at most PT")
    # C: is still nearly full: the record names what is large there and whose it is.
    assert any("C:\\Shop" in text for text in record.residual), record.residual

    before, files = list(host.changes), set(host.of(Disk).files)
    again = play(*ACT)
    assert again.rc == 0, again.output
    assert play.change(again).outcome == "nothing"
    assert (host.changes, set(host.of(Disk).files)) == (before, files)


def test_the_work_ends_at_its_target_and_takes_the_oldest_first(windows: t.Any, tmp_path: Path) -> None:
    host = full_host(free=int(4.8 * GIB))
    play = Play(tmp_path, windows(host).inventory())
    seen = rules(play.change(play("--check", disk_cleanup_target_free_percent=5)))["temporary_files"]
    assert (seen.files, seen.stopped, seen.rest_files) == (1, "target", 2)
    done = play(*ACT, disk_cleanup_target_free_percent=5)
    assert done.rc == 0, done.output
    assert host.changed("delete") == [rf"{TEMP}\setup.log"]
    assert rules(play.change(done), done=True)["temporary_files"].stopped == "target"


def test_budgets_end_the_work(windows: t.Any, tmp_path: Path) -> None:
    host = full_host()
    play = Play(tmp_path, windows(host).inventory())
    done = play(*ACT, disk_cleanup_budget={"files": 2, "bytes": 100 * GIB, "seconds": 900})
    assert done.rc == 0, done.output
    assert len(host.changed("delete")) == 2
    assert rules(play.change(done), done=True)["temporary_files"].stopped == "budget_files"


NAMED = ["temporary_files", "update_cache", "recycle_bin", "component_store", "delivery_optimization"]


def test_named_rules_do_what_they_say_in_a_window_alone(windows: t.Any, tmp_path: Path) -> None:
    host = full_host()
    host.of(Disk).delivery_bytes = 400 * MIB
    play = Play(tmp_path, windows(host).inventory())
    closed = play(*ACT, disk_cleanup_rules=NAMED)
    assert (play.change(closed).outcome, play.change(closed).code) == ("skipped", "window_closed")
    assert host.changes == []

    done = play(*ACT, disk_cleanup_rules=NAMED, keepwell_windows=WINDOW)
    assert done.rc == 0, done.output
    record = play.change(done)
    assert record.outcome == "done", record.text
    assert host.changed("dism") == ["/StartComponentCleanup"]
    assert host.changed("service") == [
        f"{name} {what}" for what in ("stopped", "started") for name in ("wuauserv", "bits", "dosvc")
        if f"{name} stopped" in host.changed("service")
    ]  # fmt: skip
    left = set(host.of(Disk).files)
    assert rf"{DOWNLOADED}\0a1b\update.cab" not in left
    assert rf"{DOWNLOADED}\9f8e\young.cab" in left
    assert not {rf"{BIN}\$IAAAAAA.zip", rf"{BIN}\$RAAAAAA.zip"} & left
    assert {rf"{BIN}\$IBBBBBB.zip", rf"{BIN}\$RBBBBBB.zip"} <= left
    # What DISM announces is the least it may be; what came of it is measured.
    assert rules(record)["component_store"].bytes == 300 * MIB
    assert rules(record, done=True)["component_store"].bytes == 900 * MIB
    assert rules(record, done=True)["delivery_optimization"].bytes == 400 * MIB


def test_servicing_is_left_alone_while_windows_waits_for_a_restart(windows: t.Any, tmp_path: Path) -> None:
    host = full_host()
    host.windows_update.reboot_required = True
    play = Play(tmp_path, windows(host).inventory())
    done = play(*ACT, disk_cleanup_rules=NAMED, keepwell_windows=WINDOW)
    assert done.rc == 0, done.output
    found = rules(play.change(done), done=True)
    for name in ("update_cache", "component_store"):
        assert (found[name].files, found[name].notes) == (
            0,
            ["nothing was done: Windows waits for a restart (RebootRequired)."],
        )
    assert found["temporary_files"].files == 3
    assert host.changed("dism") == host.changed("service") == []


def test_a_program_that_fails_is_named_with_its_code(windows: t.Any, tmp_path: Path) -> None:
    host = full_host()
    host.of(Disk).store.fails = 0x800F0806
    play = Play(tmp_path, windows(host).inventory())
    done = play(*ACT, disk_cleanup_rules=["component_store"], keepwell_windows=WINDOW)
    record = play.change(done)
    assert (record.outcome, record.code) == ("failed", "command_failed")
    assert "0x800f0806" in record.text


def test_a_connection_that_is_lost_in_the_middle_is_taken_up_by_the_next_run(windows: t.Any, tmp_path: Path) -> None:
    host = full_host()
    works = host.of(Works)
    works.takes_s = 600.0
    play = Play(tmp_path, windows(host).inventory())

    def cut() -> None:
        while not host.changed("work"):
            time.sleep(0.01)
        host.faults.unreachable = True

    threading.Thread(target=cut, daemon=True).start()
    lost = play(*ACT, disk_cleanup_reconnect_s=0)
    record = play.change(lost)
    assert (record.outcome, record.code) == ("lost", "connection_lost"), lost.output
    assert host.changed("delete") == []

    # Meanwhile it goes on by itself.
    host.faults.unreachable = False
    works.takes_s = 0.0
    taken = play(*ACT)
    assert taken.rc == 0, taken.output
    adopted = play.change(taken)
    assert len(host.changed("work")) == 1, "it is not done twice"
    assert adopted.begun_by == record.run_id
    assert len(host.changed("delete")) == 4
    assert works.states[host.changed("work")[0]]["recorded"]


@pytest.mark.parametrize(
    ("set_up", "outcome", "code", "said"),
    [
        (lambda host: setattr(host.of(Works), "busy", "antivirus 01M8"), "refused", "host_locked", "antivirus 01M8"),
        (begin_round, "refused", "host_locked", "Keepwell is at work on this host already: patching 01K"),
        (lambda host: setattr(host.of(Works), "not_started", "Access is denied."), "refused", "not_started", "Access"),
        (lambda host: setattr(host.of(Works), "killed", True), "failed", "interrupted", "0x41306"),
    ],
)
def test_what_goes_wrong_is_said_with_its_code(
    windows: t.Any, tmp_path: Path, set_up: t.Callable[[WindowsHost], t.Any], outcome: str, code: str, said: str
) -> None:
    host = full_host()
    set_up(host)
    play = Play(tmp_path, windows(host).inventory())
    record = play.change(play(*ACT))
    assert (record.outcome, record.code) == (outcome, code)
    assert said in record.text
    assert host.changed("delete") == []


def test_a_volume_grows_into_the_space_behind_it_and_not_past_a_recovery_partition(
    windows: t.Any, tmp_path: Path
) -> None:
    roomy, stuck = full_host("win01"), full_host("win02")
    roomy.of(Growable).free["C:\\"] = 100 * GIB
    stuck.of(Growable).behind["C:\\"] = "the recovery partition (WinRE), which is never moved"
    play = Play(tmp_path, windows(roomy, stuck).inventory())
    more = {"disk_cleanup_grow": True, "disk_cleanup_grow_filesystems": ["C:\\"], "keepwell_windows": WINDOW}
    seen = play("--check", **more)
    assert roomy.changes == []
    assert "Resize-Partition -DiskNumber 0 -PartitionNumber 2 -Size" in seen.output
    done = play(*ACT, **more)
    assert roomy.volumes[0].size == 120 * GIB
    growth = play.change(done).cleanup
    assert growth
    assert [(part.outcome, part.to_bytes) for part in growth.growth] == [("done", 120 * GIB)]
    refused = play.change(done, "win02").cleanup
    assert refused
    assert [(part.outcome, part.code) for part in refused.growth] == [("refused", "not_last")]
    assert stuck.changed("grow") == []


def test_no_arguments_but_those_of_the_module_travel(windows: t.Any, tmp_path: Path) -> None:
    host = full_host()
    play = Play(tmp_path, windows(host).inventory())
    assert play(*ACT).rc == 0
    (start,) = host.called("disk_cleanup/start")
    assert "program" not in start.arguments["request"]
    assert start.arguments["request"]["rules"] == ["rotated_logs", "temporary_files"]
    assert len(json.dumps(start.arguments)) < 2000
