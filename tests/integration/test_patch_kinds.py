# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""playbooks/patch.yml over a client of several systems, of which nobody has declared a ring: who is a canary of whom."""

from __future__ import annotations

import hashlib
import itertools
import json
import typing as t
from pathlib import Path

from harness import Outcome, Project, free_port
from patch_runs import ACT, changes, client, plans, runs
from windows_host.host import WindowsHost
from windows_host.state import Update

# What the role waits between its looks is for real hosts.
QUICK: dict[str, t.Any] = {
    "patching_settle_s": 0,
    "patching_settle_limit_s": 1,
    "patching_reconnect_s": 8,
    "patching_limits": {"runtime_minutes": 5, "lock_timeout_s": 0},
    "keepwell_subset": ["packages", "services", "system"],
}
WINDOWS = ("win01", "win02", "win03")


def order(name: str) -> bytes:
    """By what hosts that nobody has put into an order are put into one."""
    return hashlib.sha256(name.encode()).digest()


CANARY, SECOND, THIRD = sorted(WINDOWS, key=order)
# Would be the canary of all, where one was for all.
FIRST_OF_ALL = next(
    name for name in (f"lin{number}" for number in itertools.count()) if order(name) < min(map(order, WINDOWS))
)


def hosts(**settings: t.Any) -> list[WindowsHost]:
    """Three Windows hosts with one update each; ``settings`` are those of the canary's."""
    made = [WindowsHost(name, "2022", reboot_s=0.3) for name in WINDOWS]
    for host in made:
        more = settings if host.name == CANARY else {}
        host.windows_update.updates = [Update("cccc-1", "Security Update 1 (KB5040001)", ("5040001",), **more)]
    return made


def away() -> dict[str, t.Any]:
    """A host that nobody answers for, and of which nobody knows what it runs."""
    return {"ansible_host": "127.0.0.1", "ansible_port": free_port()}


def schedule(outcome: Outcome) -> dict[str, t.Any]:
    return json.loads((runs(outcome, "acme")[-1] / "patching" / "schedule.json").read_text())


def outcomes(outcome: Outcome) -> dict[str, tuple[str, str]]:
    found = changes(runs(outcome, "acme")[-1])
    return {name: (record["outcome"], record["code"]) for name, record in found.items()}


def test_a_host_that_is_away_is_no_canary_of_another_system(windows: t.Any, project: Project, tmp_path: Path) -> None:
    world = windows(*hosts())
    file = client(tmp_path / "acme.yml", {**world.inventory(), FIRST_OF_ALL: away()}, **QUICK)
    acted = project.play("patch", file, *ACT)
    assert acted.rc == 4, acted.output
    assert outcomes(acted) == {
        FIRST_OF_ALL: ("skipped", "unreached"),
        CANARY: ("done", ""),
        SECOND: ("skipped", "ring_soak"),
        THIRD: ("skipped", "ring_soak"),
    }
    assert schedule(acted)["kinds"] == {FIRST_OF_ALL: "unknown", **dict.fromkeys(WINDOWS, "windows")}
    assert "Ring 1 of the Windows hosts has 0 of 1" in changes(runs(acted, "acme")[-1])[SECOND]["text"]


def test_a_failed_canary_stops_the_client(windows: t.Any, project: Project, tmp_path: Path) -> None:
    world = windows(*hosts(install_fails=0x80070005))
    # The first night is over before the second begins: nothing soaks here.
    file = client(tmp_path / "acme.yml", world.inventory(), patching_rings=[{"soak_h": 0}], **QUICK)
    acted = project.play("patch", file, *ACT)
    assert acted.rc == 2, acted.output
    found = outcomes(acted)
    assert found.pop(CANARY)[0] == "failed"
    assert found == dict.fromkeys((SECOND, THIRD), ("skipped", "ring_failed"))
    text = changes(runs(acted, "acme")[-1])[SECOND]["text"]
    assert f"{CANARY} (ring 1, Windows) failed" in text
    assert not [change for name in (SECOND, THIRD) for change in world[name].changes]


def test_the_announcement_says_of_which_system_a_host_is_the_canary(
    windows: t.Any, project: Project, tmp_path: Path
) -> None:
    """Nothing is changed here: this machine is one of the hosts."""
    world = windows(*hosts())
    inventory = {**world.inventory(), "here": {"ansible_connection": "local"}}
    file = client(tmp_path / "acme.yml", inventory, **QUICK)
    announced = project.play("patch", file, "--check")
    assert announced.rc == 0, announced.output
    rings = schedule(announced)
    assert {name: rings["rings"][name] for name in inventory} == {"here": 1, CANARY: 1, SECOND: 2, THIRD: 3}
    assert rings["kinds"]["here"] not in ("windows", "unknown")
    told = {name: plan["ring_reason"] for name, plan in plans(runs(announced, "acme")[-1]).items()}
    assert told.pop("here").startswith("the only ")
    assert told == {
        CANARY: "the canary of 3 Windows hosts",
        SECOND: "step 2 of 3 for 3 Windows hosts",
        THIRD: "step 3 of 3 for 3 Windows hosts",
    }
    text = (runs(announced, "acme")[-1] / "announcement.txt").read_text()
    assert f"{CANARY}, ring 1: 1 update (1 security)\n  Ring: the canary of 3 Windows hosts\n" in text

    # Who is not asked keeps the ring: by what the run before saw, and by how Windows is connected to.
    limited = project.play("patch", file, "--check", "--limit", CANARY)
    assert limited.rc == 0, limited.output
    assert schedule(limited) == rings


def test_a_mistake_of_a_host_that_is_not_asked_stops_it_before_any_connection(
    windows: t.Any, project: Project, tmp_path: Path
) -> None:
    world = windows(*hosts())
    inventory = world.inventory()
    inventory[THIRD]["patching_ring"] = "first"
    outcome = project.play("patch", client(tmp_path / "acme.yml", inventory, **QUICK), "--limit", CANARY)
    assert outcome.rc == 2, outcome.output
    assert "patching_ring" in outcome.output
    assert not world[CANARY].calls
