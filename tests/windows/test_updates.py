"""ansible.windows.win_updates and win_reboot, with their own action plugins, over both connections."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from playing import play
from windows_host.host import WindowsHost
from windows_host.models import updates
from windows_host.state import Update

CUMULATIVE, SERVICING, LICENSED = "11111111-aaaa", "22222222-bbbb", "33333333-cccc"


def host_with_updates(name: str = "win01") -> WindowsHost:
    host = WindowsHost(name, "2022", reboot_s=0.0)
    host.windows_update.updates = [
        Update(SERVICING, "2026-11 Servicing Stack Update", ("5031000",), needs_reboot=True),
        Update(CUMULATIVE, "2026-11 Cumulative Update", ("5031364",), after=(SERVICING,), needs_reboot=True, ubr=2900),
        Update(LICENSED, "A driver of somebody", categories=("Drivers",), eula_accepted=False),
    ]
    return host


@pytest.mark.parametrize("transport", ["psrp", "winrm"])
def test_updates_are_installed_round_after_round_with_reboots_between(
    windows: t.Any, tmp_path: Path, transport: str
) -> None:
    host = host_with_updates()
    hosts = windows(host).inventory(transport)
    told = {"category_names": ["SecurityUpdates"], "reboot": True, "reboot_timeout": 60}
    played = play(tmp_path, hosts, [{"ansible.windows.win_updates": told}])
    result = played.of("task 0")
    assert played.rc == 0, played.output
    assert (result["changed"], result["installed_update_count"], result["rebooted"]) == (True, 2, True)
    assert result["updates"][CUMULATIVE]["kb"] == ["5031364"]
    assert result["filtered_updates"][LICENSED]["filtered_reasons"] == ["category_names"]
    assert host.changed("install") == [SERVICING, CUMULATIVE]
    assert host.boots == 3
    assert host.ubr == 2900
    assert [entry["result_code"] for entry in host.windows_update.history] == [2, 2]


def test_check_mode_downloads_and_installs_nothing_but_accepts_licences_as_the_real_module_does(
    windows: t.Any, tmp_path: Path
) -> None:
    host = host_with_updates()
    hosts = windows(host).inventory()
    tasks = [
        {"ansible.windows.win_updates": {"category_names": ["SecurityUpdates"]}},
        {"ansible.windows.win_updates": {"category_names": ["*"]}},
    ]
    played = play(tmp_path, hosts, tasks, "--check")
    assert played.of("task 0")["found_update_count"] == 1
    assert [(change.kind, change.what) for change in host.changes] == [("eula", LICENSED)]
    assert all(call.check_mode for call in host.called("ansible.windows.win_updates"))
    assert played.of("task 1")["found_update_count"] == 2


def test_what_fails_is_named_with_its_code_and_a_rollback_is_seen(windows: t.Any, tmp_path: Path) -> None:
    full = WindowsHost("win01")
    full.windows_update.updates = [Update("disk-full", "No room", ("1",), install_fails=0x80070070)]
    lost = WindowsHost("win02")
    lost.windows_update.updates = [Update("no-download", "No way", ("2",), download_fails=0x80240438)]
    unsearched = WindowsHost("win03")
    unsearched.windows_update.search_fails = 0x8024402C
    paused = host_with_updates("win04")
    paused.windows_update.paused = True
    unsynced = host_with_updates("win05")
    unsynced.windows_update.wsus, unsynced.windows_update.wsus_synced = "http://wsus.example.org:8530", False
    world = windows(full, lost, unsearched, paused, unsynced)
    task = {"ansible.windows.win_updates": {"category_names": ["*"]}, "ignore_errors": True}
    played = play(tmp_path, world.inventory(), [task])
    assert played.of("task 0")["updates"]["disk-full"]["failure_hresult_code"] == 0x80070070
    assert played.of("task 0")["msg"].startswith("Failed to install all updates")
    assert played.of("task 0", "win02")["updates"]["no-download"]["failure_hresult_code"] == 0x80240438
    assert "0x8024402C" in played.of("task 0", "win03")["msg"]
    for name in ("win04", "win05"):
        assert played.of("task 0", name)["found_update_count"] == 0
        assert not played.of("task 0", name).get("failed")
    assert not full.changed("install")


def test_an_update_that_rolls_back_is_offered_again(windows: t.Any, tmp_path: Path) -> None:
    host = WindowsHost("win01", reboot_s=0.3)
    host.windows_update.updates = [Update("rolls-back", "Loops", needs_reboot=True, rolls_back=True, ubr=9999)]
    told = {"category_names": ["*"], "reboot": True, "reboot_timeout": 60}
    played = play(tmp_path, windows(host).inventory(), [{"ansible.windows.win_updates": told, "ignore_errors": True}])
    assert "update loop" in played.of("task 0")["msg"]
    assert host.ubr != 9999


def test_a_reboot_that_never_ends_is_a_failure_within_its_time(windows: t.Any, tmp_path: Path) -> None:
    stuck = WindowsHost("win01", reboot_s=None)
    fine = WindowsHost("win02", reboot_s=0.3)
    world = windows(stuck, fine)
    before = fine.boot_id
    task = {"ansible.windows.win_reboot": {"reboot_timeout": 4}, "ignore_errors": True}
    played = play(tmp_path, world.inventory(), [task])
    assert "Timed out waiting for last boot time check" in played.of("task 0")["msg"]
    assert played.of("task 0", "win02")["rebooted"] is True
    assert (fine.boots, fine.boot_id == before, fine.windows_update.reboot_required) == (2, False, False)


def test_the_lists_are_held_against_title_and_kb_numbers_as_one_text() -> None:
    """In PowerShell a text and a list make one text: a title alone between ^ and $ matches nothing there."""
    update = Update(CUMULATIVE, "2026-11 Update (x64)", ("5031364", "5031365"))
    told: dict[str, t.Any] = {"category_names": ["*"], "reject_list": [], "skip_optional": False}
    assert updates._reasons(update, {**told, "accept_list": [r"^2026-11 Update \(x64\)$"]}) == ["accept_list"]
    assert updates._reasons(update, {**told, "accept_list": [r"^2026-11 Update \(x64\)KB5031364 KB5031365$"]}) == []
    assert updates._reasons(update, {**told, "accept_list": ["kb5031365"]}) == []
