# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long work is expected to take, and what a window says to that."""

from __future__ import annotations

import datetime as dt

import pytest
from fleet_runs import NOW, change

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord, Step
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import duration
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows import calendar, decision
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso

MINUTE = 60.0


def step(name: str, began: float, ended: float, outcome: str = "done") -> Step:
    return Step(name=name, outcome=outcome, started_at=iso(NOW + began), ended_at=iso(NOW + ended))


def patched(**more: object) -> ChangeRecord:
    steps = [step("apply", -3600, 120), step("reboot", 130, 200), step("verify", 260, 300)]
    return change("web1", "done", **{"steps": steps, "entered_at": iso(NOW), **more})


def test_a_change_is_measured_from_its_begin_to_the_end_of_its_comparison() -> None:
    # The host's clock is an hour behind: only the control node's counts.
    assert duration.of(patched()) == {"patch": 300.0, "reboot": 170.0}


def test_what_comes_after_the_first_updates_of_a_windows_host_is_measured_as_well() -> None:
    steps = [step("install", 0, 40), step("install", 50, 100), step("apply", 0, 101), step("verify", 260, 300)]
    assert duration.of(patched(steps=steps)) == {"patch": 300.0, "turn": 250.0}
    # A round after a reboot begins in the middle, too.
    later = [step("install", 0, 40), step("apply", 0, 41), step("reboot", 50, 90), step("install", 100, 150)]
    assert duration.of(patched(steps=[*later, step("apply", 95, 151)]))["turn"] == 51.0
    assert "turn" not in duration.of(patched(steps=[step("install", 0, 40), step("apply", 0, 41)]))


def test_a_change_that_was_stopped_half_way_is_no_sample() -> None:
    assert duration.of(patched(stopped="On hold until Friday: an audit.")) == {}


@pytest.mark.parametrize("more", [{"begun_by": "01K00000000000000000000000"}, {"entered_at": None}, {"steps": []}])
def test_what_nobody_measured_is_no_sample(more: dict[str, object]) -> None:
    assert duration.of(patched(**more)) == {}


def test_a_clock_that_stands_still_measures_nothing() -> None:
    steps = [step("apply", 0, 0), step("verify", 0, 0)]
    assert duration.of(patched(steps=steps)) == {}


def test_a_scan_does_not_count_it_is_fitted_into_its_window() -> None:
    steps = [step("scan", 0, 3000), step("quarantine", 3000, 3020), step("rescan", 3020, 3050)]
    assert duration.of(change("web1", "done", chore="antivirus", steps=steps, entered_at=iso(NOW))) == {
        "antivirus": 50.0
    }


def test_the_hosts_own_changes_come_first_then_the_clients_then_the_reserve() -> None:
    mine, all_of_them = [10.0] * 4 + [99.0], [500.0] * 20
    assert duration.expected(mine, all_of_them, 1800.0, "x") == (99.0, "p95 of 5 changes of this host")
    assert duration.expected(mine[:4], all_of_them, 1800.0, "x") == (500.0, "p95 of 20 changes of this client")
    assert duration.expected([], [1.0], 1800.0, "patching_reserve_minutes") == (
        1800.0,
        "patching_reserve_minutes: fewer than 5 changes are known",
    )


def test_one_hang_does_not_close_every_window_for_ever() -> None:
    # The control node was suspended in the middle of one change: a window of four hours would never be long enough.
    usual = [6 * MINUTE, 7 * MINUTE, 6 * MINUTE, 8 * MINUTE]
    found = duration.expected([*usual, 600 * MINUTE], [], 30 * MINUTE, "x")
    assert found == (8 * MINUTE, "p95 of 4 changes of this host, without 1 hang")
    # What the reserve has room for is no hang, however quick the others were.
    assert duration.expected([*usual, 29 * MINUTE], [], 30 * MINUTE, "x").seconds == 29 * MINUTE


@pytest.mark.parametrize("name", ["apply", "reboot"])
def test_work_that_broke_or_ran_into_its_time_limit_is_no_sample(name: str) -> None:
    steps = [step("apply", 0, 7500), step("reboot", 7500, 9000), step("verify", 9000, 9010)]
    broken = [entry.model_copy(update={"outcome": "failed"}) if entry.name == name else entry for entry in steps]
    assert duration.of(patched(steps=broken)) == {}


@pytest.mark.parametrize(("number", "high"), [(1, 1.0), (5, 5.0), (20, 19.0), (40, 38.0)])
def test_p95_is_a_duration_that_was_seen(number: int, high: float) -> None:
    assert duration.high([float(n) for n in range(number, 0, -1)]) == high


def test_begun_five_minutes_before_the_cutoff_the_next_host_is_not() -> None:
    evening = dt.datetime(2026, 11, 29, 22, 0, tzinfo=dt.UTC).timestamp()
    windows = {
        "night": {"rule": {"weekly": ["sun"]}, "start": "22:00", "duration": "4h", "cutoff": "45m", "allow": ["patch"]}
    }
    open_times, problems = calendar.build({"keepwell_windows": windows}, "UTC", ())
    assert problems == []
    needed = duration.expected([6 * MINUTE] * 5, [], 30 * MINUTE, "x").seconds
    cutoff = evening + 3 * 3600 + 15 * MINUTE
    assert decision.is_open(open_times, cutoff - 5 * MINUTE, needed, "patch").open
    after_the_first = decision.is_open(open_times, cutoff - 5 * MINUTE + needed, needed, "patch")
    assert not after_the_first.open
    assert "begins nothing new since Mon 2026-11-30 01:15" in after_the_first.reason
