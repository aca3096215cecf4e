# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""playbooks/patch.yml over simulated Windows hosts, by the real connections and the real ansible.windows."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from harness import Outcome, Project
from patch_runs import ACT, changes, client, plans, runs
from windows_host.host import WindowsHost
from windows_host.state import Update

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
