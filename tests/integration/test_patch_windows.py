# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""playbooks/patch.yml over simulated Windows hosts, by the real connections and the real ansible.windows."""

from __future__ import annotations

import threading
import time
import typing as t
from pathlib import Path

import pytest
from harness import Outcome, Project
from patch_runs import ACT, changes, client, plans, runs
from windows_host.host import WindowsHost
from windows_host.models.patching import Patching
from windows_host.state import GIB, Update, WindowsUpdate

# What the role waits between its looks is for real hosts.
QUICK: dict[str, t.Any] = {
    "patching_settle_s": 0,
    "patching_settle_limit_s": 1,
    "patching_reconnect_s": 8,
    "patching_limits": {"runtime_minutes": 5, "lock_timeout_s": 0},
    "patching_reboot": "when_required",
    "patching_ring": 1,
}
UBR = 2900


def servicing() -> Update:
    return Update("aaaa-servicing", "2026-11 Servicing Stack Update (KB5031000)", ("5031000",), size=10 << 20)


def cumulative(**more: t.Any) -> Update:
    fields: dict[str, t.Any] = {"needs_reboot": True, "ubr": UBR, "size": 300 << 20, **more}
    return Update("bbbb-cumulative", "2026-11 Cumulative Update for Windows (KB5031364)", ("5031364",), **fields)


def plain(number: int, **more: t.Any) -> Update:
    return Update(f"cccc-{number}", f"Security Update {number} (KB504000{number})", (f"504000{number}",), **more)


def host_with(*updates: Update, name: str = "win01", **settings: t.Any) -> WindowsHost:
    host = WindowsHost(name, "2022", **{"reboot_s": 0.3, **settings})
    host.windows_update.updates = list(updates)
    return host


def patch(project: Project, file: Path, *arguments: str, timeout: int = 170) -> Outcome:
    return project.play("patch", file, *arguments, timeout=timeout)


def last(outcome: Outcome) -> dict[str, dict[str, t.Any]]:
    return changes(runs(outcome, "acme")[-1])


def no_change(host: WindowsHost) -> bool:
    """True when neither the host changed nor the module that could do that was even called."""
    return not host.changes and not host.called("ansible.windows.win_updates")


@pytest.mark.parametrize("transport", ["psrp", "winrm"])
def test_from_the_announcement_to_the_build(windows: t.Any, project: Project, tmp_path: Path, transport: str) -> None:
    host = host_with(
        servicing(),
        cumulative(after=("aaaa-servicing",)),
        Update("dddd-driver", "A driver", (), categories=("Drivers",), kind="driver"),
        plain(7, eula_accepted=False),
    )
    file = client(tmp_path / "acme.yml", windows(host).inventory(transport), **QUICK)

    announced = patch(project, file, "--check")
    assert announced.rc == 0, announced.output
    assert no_change(host)
    [plan] = plans(runs(announced, "acme")[-1]).values()
    assert [item["name"] for item in plan["items"]] == ["KB5031000"]
    assert {entry["name"]: entry["code"] for entry in plan["withheld"]} == {
        "A driver": "policy",
        "KB5040007": "licence",
    }
    assert "2026-11 Servicing Stack Update" in announced.output

    acted = patch(project, file, *ACT)
    assert acted.rc == 0, acted.output
    record = last(acted)["win01"]
    assert record["outcome"] == "done", record["text"]
    assert host.changed("install") == ["aaaa-servicing", "bbbb-cumulative"]
    assert host.changed("eula") == []
    assert (host.boots, host.ubr) == (2, UBR)
    assert [(entry["name"], entry["after"]) for entry in record["versions"]] == [
        ("KB5031000", "1"), ("KB5031364", "1"), ("Windows", f"10.0.20348.{UBR}"),
    ]  # fmt: skip
    assert record["reboot"]["done"] and record["reboot"]["boot_before"] != record["reboot"]["boot_after"]
    assert f"build 10.0.20348.{UBR}" in record["text"]
    for call in host.called("ansible.windows.win_updates"):
        assert not call.check_mode
        assert not call.arguments.get("reboot")

    before = len(host.changes)
    again = patch(project, file, *ACT)
    assert again.rc == 0, again.output
    assert last(again)["win01"]["outcome"] == "nothing"
    assert host.changes[before:] == []


def test_what_was_approved_is_done_and_nothing_else(windows: t.Any, project: Project, tmp_path: Path) -> None:
    host = host_with(plain(1), plain(2))
    file = client(tmp_path / "acme.yml", windows(host).inventory(), **QUICK)
    announced = runs(patch(project, file, "--check"), "acme")[-1].name
    approved = ("-e", f"patching_approved_run={announced}", "-e", 'patching_approver="J. Smit"')

    host.windows_update.updates[0].revision = 2
    other = patch(project, file, *ACT, *approved)
    record = last(other)["win01"]
    assert (record["outcome"], record["code"]) == ("refused", "plan_changed")
    assert no_change(host)

    host.windows_update.updates[0].revision = 1
    acted = patch(project, file, *ACT, *approved)
    assert last(acted)["win01"]["outcome"] == "done", acted.output
    assert last(acted)["win01"]["approver"] == "J. Smit"
    assert sorted(host.changed("install")) == ["cccc-1", "cccc-2"]


def test_failed_updates_are_named_and_the_others_go_on(windows: t.Any, project: Project, tmp_path: Path) -> None:
    host = host_with(
        plain(1, install_fails=0x80070643),
        plain(2, install_fails=0x800F0922),
        plain(3, download_fails=0x80244022),
        cumulative(),
    )
    file = client(tmp_path / "acme.yml", windows(host).inventory(), **QUICK)
    acted = patch(project, file, *ACT)
    assert acted.rc == 2, acted.output
    record = last(acted)["win01"]
    assert (record["outcome"], record["code"]) == ("failed", "apply_failed")
    assert record["failures"]["KB5040001"].startswith("0x80070643 (ERROR_INSTALL_FAILURE): the update's own installer")
    assert record["failures"]["KB5040002"].startswith("0x800f0922 (CBS_E_INSTALLERS_FAILED): ")
    assert record["failures"]["KB5040003"].startswith("0x80244022 (WU_E_PT_HTTP_STATUS_SERVICE_UNAVAIL): ")
    assert "It is safe to try again." in record["failures"]["KB5040003"]
    assert "3 updates failed, 1 update in place" in record["text"]
    # The host itself was brought to an end in good order.
    assert (host.ubr, host.boots) == (UBR, 2)
    assert record["residual"] == [
        "KB5040001 is still offered: it failed, 0x80070643 (ERROR_INSTALL_FAILURE)",
        "KB5040002 is still offered: it failed, 0x800f0922 (CBS_E_INSTALLERS_FAILED)",
        "KB5040003 is still offered: it failed, 0x80244022 (WU_E_PT_HTTP_STATUS_SERVICE_UNAVAIL)",
    ]


def test_an_update_that_is_taken_back_during_the_boot_is_not_in_place(
    windows: t.Any, project: Project, tmp_path: Path
) -> None:
    host = host_with(cumulative(rolls_back=True))
    file = client(tmp_path / "acme.yml", windows(host).inventory(), **QUICK)
    record = last(patch(project, file, *ACT))["win01"]
    assert (record["outcome"], record["code"]) == ("failed", "not_in_place")
    assert "Windows offers it still" in record["text"]
    assert host.changed("install") == ["bbbb-cumulative"], "it is not tried again in the same run"


class Stubborn(WindowsUpdate):
    """An agent that asks for a reboot whatever is done."""

    def __setattr__(self, name: str, value: t.Any) -> None:
        super().__setattr__(name, True if name == "reboot_required" else value)


def test_a_reboot_that_does_not_help_is_not_repeated_for_ever(windows: t.Any, project: Project, tmp_path: Path) -> None:
    host = host_with(windows_update=Stubborn())
    host.windows_update.updates = [plain(1)]
    file = client(tmp_path / "acme.yml", windows(host).inventory(), **QUICK)
    record = last(patch(project, file, *ACT))["win01"]
    assert (record["outcome"], record["code"]) == ("failed", "reboot_did_not_help")
    assert "was rebooted 2 times and still needs a reboot" in record["text"]
    assert "Windows Update waits for a restart" in record["text"]
    assert host.boots == 3
    assert host.changed("install") == [], "nothing installs before the reboot"


def test_a_reboot_that_is_due_comes_first(windows: t.Any, project: Project, tmp_path: Path) -> None:
    host = host_with(plain(1))
    host.windows_update.reboot_required = True
    hosts = windows(host).inventory()
    never = client(tmp_path / "acme.yml", hosts, **{**QUICK, "patching_reboot": "never"})
    record = last(patch(project, never, *ACT))["win01"]
    assert (record["outcome"], record["code"]) == ("refused", "reboot_first")
    assert no_change(host)
    file = client(tmp_path / "acme.yml", hosts, **QUICK)
    record = last(patch(project, file, *ACT))["win01"]
    assert record["outcome"] == "done", record["text"]
    assert [change.kind for change in host.changes if change.kind in ("reboot", "install")] == ["reboot", "install"]


def test_a_host_that_is_rebooted_first_and_then_busy_is_compared(
    windows: t.Any, project: Project, tmp_path: Path
) -> None:
    host = host_with(plain(1))
    host.windows_update.reboot_required = True
    original = host.reboot

    def reboot(after_s: float = 0.2) -> None:
        original(after_s)
        host.of(Patching).installers = [{"process": "TiWorker.exe", "pid": 4711}]

    host.reboot = reboot  # type: ignore[method-assign]
    file = client(tmp_path / "acme.yml", windows(host).inventory(), **QUICK)
    acted = patch(project, file, *ACT)
    record = last(acted)["win01"]
    assert (record["outcome"], record["code"]) == ("done", "locked"), acted.output
    assert record["reboot"]["done"] and host.changed("install") == []
    assert [step["outcome"] for step in record["steps"] if step["name"] == "verify"] == ["done"]
    assert record["text"].startswith("Rebooted; 1 left, not begun: Another installation is at work: TiWorker.exe")


def test_a_host_that_does_not_come_back_is_lost(windows: t.Any, project: Project, tmp_path: Path) -> None:
    host = host_with(cumulative(), reboot_s=None)
    variables = {**QUICK, "patching_reboot_limit_s": 5, "patching_reconnect_s": 1}
    file = client(tmp_path / "acme.yml", windows(host).inventory(), **variables)
    acted = patch(project, file, *ACT)
    record = last(acted)["win01"]
    assert (record["outcome"], record["code"]) == ("lost", "no_return"), acted.output
    assert "did not come back within 5 s" in record["text"]
    assert acted.rc == 4


def test_one_answer_that_is_lost_is_read_out_of_the_history(windows: t.Any, project: Project, tmp_path: Path) -> None:
    host = host_with(plain(1), plain(2, install_fails=0x80070070))
    # The module has done its work, and nobody hears of it.
    host.faults.loses["ansible.windows.win_updates"] = 1
    file = client(tmp_path / "acme.yml", windows(host).inventory(), **QUICK)
    acted = patch(project, file, *ACT)
    record = last(acted)["win01"]
    assert (record["outcome"], record["code"]) == ("failed", "apply_failed"), acted.output
    assert record["failures"]["KB5040002"].startswith("0x80070070 (ERROR_DISK_FULL)")
    assert [entry["name"] for entry in record["versions"]] == ["KB5040001"]
    assert host.changed("install") == ["cccc-1"]


def test_the_next_run_takes_up_what_was_lost(windows: t.Any, project: Project, tmp_path: Path) -> None:
    host = host_with(cumulative())
    variables = {**QUICK, "patching_reconnect_s": 1}
    file = client(tmp_path / "acme.yml", windows(host).inventory(), **variables)

    def cut() -> None:
        while not host.changed("install"):
            time.sleep(0.01)
        host.faults.unreachable = True

    cutting = threading.Thread(target=cut, daemon=True)
    cutting.start()
    acted = patch(project, file, *ACT)
    cutting.join()
    record = last(acted)["win01"]
    assert (record["outcome"], record["code"]) == ("lost", "connection_lost"), acted.output
    assert "The work on the host goes on by itself" in record["text"]

    host.faults.unreachable = False
    taken = last(patch(project, file, *ACT))["win01"]
    assert taken["outcome"] == "done", taken["text"]
    assert taken["begun_by"] == record["run_id"]
    assert host.changed("install") == ["bbbb-cumulative"]
    assert (host.boots, host.ubr) == (2, UBR)


def test_what_stands_against_it_is_told_and_nothing_is_touched(
    windows: t.Any, project: Project, tmp_path: Path
) -> None:
    stale, paused, full, busy, node, unlicensed = (
        host_with(plain(1), name=name) for name in ("stale", "paused", "full", "busy", "node", "unlicensed")
    )
    stale.windows_update.wsus, stale.windows_update.wsus_synced = "http://wsus.acme.example:8530", False
    paused.windows_update.paused = True
    full.volumes[0].free = 5 * GIB
    busy.of(Patching).installers = [{"process": "TiWorker.exe", "pid": 4711}]
    node.of(Patching).roles = ["failover_cluster"]
    unlicensed.windows_update.updates[0].eula_accepted = False
    all_hosts = (stale, paused, full, busy, node, unlicensed)
    file = client(tmp_path / "acme.yml", windows(*all_hosts).inventory(), **QUICK)
    acted = patch(project, file, *ACT)
    found = {name: (record["outcome"], record["code"]) for name, record in last(acted).items()}
    assert found == {
        "stale": ("refused", "stale"),
        "paused": ("refused", "stale"),
        "full": ("refused", "disk_full"),
        "busy": ("refused", "locked"),
        "node": ("refused", "no_pair"),
        "unlicensed": ("nothing", ""),
    }, acted.output
    assert "updates are paused for" in last(acted)["paused"]["text"]
    assert all(no_change(host) for host in all_hosts)


def test_an_accepted_licence_is_accepted_by_acting_alone(windows: t.Any, project: Project, tmp_path: Path) -> None:
    host = host_with(plain(1, eula_accepted=False))
    file = client(tmp_path / "acme.yml", windows(host).inventory(), patching_accept_licences=True, **QUICK)
    patch(project, file, "--check")
    assert no_change(host)
    assert last(patch(project, file, *ACT))["win01"]["outcome"] == "done"
    assert host.changed("eula") == ["cccc-1"]


def when_installed(host: WindowsHost, identifier: str, do: t.Callable[[], None]) -> None:
    """Do something while the host installs an update: before the next one is begun."""
    original = host.install

    def install(update: Update) -> None:
        original(update)
        if update.id == identifier:
            do()

    host.install = install  # type: ignore[method-assign]


def test_a_hold_between_two_turns_stops_before_the_next_and_a_later_run_does_the_rest(
    windows: t.Any, project: Project, tmp_path: Path
) -> None:
    host = host_with(servicing(), cumulative(), plain(1))
    file = client(tmp_path / "acme.yml", windows(host).inventory(), **QUICK)
    placed: list[Outcome] = []

    def place() -> None:
        placed.append(project.play("hold", file, "-e", 'keepwell_reason="an audit"', "-e", "keepwell_hosts=win01"))

    when_installed(host, "aaaa-servicing", place)
    acted = patch(project, file, *ACT)
    assert placed[0].rc == 0, placed[0].output
    assert acted.rc == 0, acted.output
    record = last(acted)["win01"]
    assert host.changed("install") == ["aaaa-servicing"]
    assert (host.boots, record["outcome"], record["code"]) == (1, "done", "held"), record["text"]
    assert [entry["name"] for entry in record["versions"]] == ["KB5031000"]
    assert record["stopped"].startswith("On hold until ") and "an audit" in record["stopped"]
    assert record["text"].startswith("1 update in place; 2 left, not begun: On hold until ")
    assert record["residual"] == ["KB5031364 is still offered", "KB5040001 is still offered"]
    assert not any(note["recorded"] is False for note in host.of(Patching).notes.values())

    held = last(patch(project, file, *ACT))["win01"]
    assert (held["outcome"], held["code"]) == ("skipped", "held")
    released = project.play("release", file, "-e", 'keepwell_reason="it is over"')
    assert released.rc == 0, released.output
    rest = last(patch(project, file, *ACT))["win01"]
    assert (rest["outcome"], rest["stopped"]) == ("done", ""), rest["text"]
    assert host.changed("install") == ["aaaa-servicing", "bbbb-cumulative", "cccc-1"]
    assert (host.boots, host.ubr) == (2, UBR)


def test_a_reboot_that_a_hold_kept_back_is_done_by_a_later_run(
    windows: t.Any, project: Project, tmp_path: Path
) -> None:
    host = host_with(cumulative())
    file = client(tmp_path / "acme.yml", windows(host).inventory(), **QUICK)
    when_installed(
        host, "bbbb-cumulative", lambda: project.play("hold", file, "-e", "keepwell_reason=audit").rc and None
    )
    acted = patch(project, file, *ACT)
    record = last(acted)["win01"]
    assert (acted.rc, record["outcome"], host.boots) == (0, "done", 1), acted.output
    assert record["reboot"]["text"].startswith("a reboot is needed, and not done: On hold until ")
    released = project.play("release", file, "-e", "keepwell_reason=over")
    assert released.rc == 0, released.output
    later = patch(project, file, *ACT)
    assert "win01, ring 1: a reboot" in later.output
    assert f"the change of run {record['run_id']} had to leave it" in " ".join(later.output.split())
    rebooted = last(later)["win01"]
    assert (rebooted["outcome"], host.boots, host.ubr) == ("done", 2, UBR), later.output
    assert rebooted["text"] == "Rebooted; nothing of the plan is left."
    assert host.changed("install") == ["bbbb-cumulative"]


def test_a_service_that_does_not_come_back_is_a_failed_change(windows: t.Any, project: Project, tmp_path: Path) -> None:
    host = host_with(cumulative())
    host.services["spooler"].start_fails = True
    original = host.install

    def install(update: Update) -> None:
        original(update)
        host.services["spooler"].state = "stopped"

    host.install = install  # type: ignore[method-assign]
    file = client(tmp_path / "acme.yml", windows(host).inventory(), **QUICK)
    record = last(patch(project, file, *ACT))["win01"]
    assert (record["outcome"], record["code"]) == ("failed", "post_check")
    assert "Spooler" in record["text"]


@pytest.mark.parametrize("transport", ["psrp", pytest.param("winrm", marks=pytest.mark.long)])
def test_one_bad_host_spoils_nothing_for_the_others(
    windows: t.Any, project: Project, tmp_path: Path, transport: str
) -> None:
    hosts = [host_with(plain(1), name=f"win{number:02}") for number in range(1, 21)]
    hosts[4].faults.wrong_password = True
    hosts[9].faults.unreachable = True
    hosts[14].windows_update.updates = [plain(1, install_fails=0x80070005)]
    # What fails in a ring stops those of it that have not begun: the one that will fail is the last.
    variables = windows(*hosts).inventory(transport)
    variables["win15"]["patching_ring"] = 2
    rings = [{"soak_h": 0, "good": 1}]
    file = client(tmp_path / "acme.yml", variables, patching_rings=rings, **QUICK)
    acted = patch(project, file, "--forks", "10", *ACT, timeout=400)
    found = last(acted)
    outcomes = {name: record["outcome"] for name, record in found.items()}
    assert outcomes.pop("win05") == "skipped" and found["win05"]["code"] == "unreached"
    assert "user name or password is wrong" in found["win05"]["text"]
    assert outcomes.pop("win10") == "skipped" and found["win10"]["code"] == "unreached"
    assert outcomes.pop("win15") == "failed"
    assert "0x80070005 (E_ACCESSDENIED)" in found["win15"]["text"]
    assert set(outcomes.values()) == {"done"} and len(outcomes) == 17, acted.output
