# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked again before each step of a change that cannot be taken back."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from fleet_runs import change, header

from ansible_collections.keepwell.fleet.plugins.plugin_utils import (
    evidence,
    hold_files,
    holds,
    processes,
    runs,
    settings,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.guards import Stop
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import epoch
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import guards
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import (
    Fact,
    Move,
    Plan,
    RebootPlan,
    Rollback,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.options import Options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.work import Job
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Trigger

RUN: t.Final = "01K0000000000000000000000A"
# A Sunday. Nobody knows how long anything takes: the reserve of 30 minutes counts.
EVENING: t.Final = "2026-11-29T22:00:00Z"
VARIABLES: t.Final = {
    "keepwell_plan": {"name": "Care", "services": ["patching"]},
    "keepwell_windows": {
        "night": {"rule": {"weekly": ["sun"]}, "start": "22:00", "duration": "1h", "allow": ["patch"]},
        "late": {"rule": {"weekly": ["sun"]}, "start": "22:30", "duration": "1h", "allow": ["reboot"]},
    },
}


@pytest.fixture
def store(tmp_path: Path) -> evidence.Store:
    made = evidence.Store(tmp_path, "acme")
    begun = header(RUN, ["win01", "win02", "win03"], process=processes.this_process())
    bought = {"patching": ["win01", "win02", "win03"]}
    runs.begin(made, begun.model_copy(update={"acting": ["patching"], "bought": bought}), epoch(EVENING))
    return made


def further(
    store: evidence.Store, minutes: float, what: t.Literal["turn", "reboot"] = "turn", **more: t.Any
) -> Stop | None:
    """Ask so many minutes after the window opened."""
    return guards.further(job_at(store, minutes), what, **more)


def job_at(store: evidence.Store, minutes: float) -> Job:
    """The job of a host so many minutes after the window opened."""
    now = epoch(EVENING) + minutes * 60
    return Job(
        chore="patching",
        host="win01",
        store=store,
        run_id=RUN,
        settings=settings.read(VARIABLES, ["inventories/acme"], now),
        options=Options(),
        simulated_now=now,
        task_vars={},
        arguments={},
    )


def test_a_turn_begins_only_while_enough_of_the_window_is_left(store: evidence.Store) -> None:
    assert further(store, 29) is None
    late = further(store, 31)
    assert late is not None and (late.outcome, late.code) == ("skipped", "window_closed")
    # The time of a first step was asked for right before.
    assert further(store, 31, reserve=False) is None
    assert further(store, 61, reserve=False) is not None


def test_a_reboot_asks_for_a_window_of_its_own(store: evidence.Store) -> None:
    early = further(store, 10, "reboot")
    assert early is not None and early.code == "window_closed"
    assert further(store, 40, "reboot") is None


def test_a_hold_stops_the_next_step(store: evidence.Store) -> None:
    hold = holds.Hold(
        hold_id="01K00000000000000000000H01",
        client="acme",
        hosts=["win01"],
        reason="audit",
        placed_at=EVENING,
        until="2026-12-05T23:59:00Z",
        placed_by=Trigger(user="ops", controller="control", origin="terminal"),
    )
    hold_files.place(store, hold)
    stop = further(store, 1)
    assert stop is not None and stop.code == "held"
    assert "audit (placed by ops on control)" in stop.text


def test_the_brake_stops_the_next_step(store: evidence.Store) -> None:
    for host in ("win02", "win03"):
        store.write_change(change(host, "failed", RUN, code="post_check"))
    stop = further(store, 1)
    assert stop is not None and stop.code == "brake"


def test_holds_that_cannot_be_read_stop_the_next_step_and_lose_nothing(store: evidence.Store) -> None:
    folder = store.root / "holds"
    folder.mkdir(parents=True)
    (folder / "01K00000000000000000000H01.json").write_text("{")
    stop = further(store, 1)
    assert stop is not None and (stop.outcome, stop.code) == ("refused", "internal")


def test_where_nobody_knows_how_long_a_turn_takes_it_is_the_whole(
    store: evidence.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def durations(_self: t.Any, _chore: str, work: str, _host: str | None = None) -> list[float]:
        return {"patch": [3000.0] * 5, "turn": []}[work]

    monkeypatch.setattr(guards.History, "durations", durations)
    assert further(store, 9) is None
    late = further(store, 11)
    assert late is not None and late.code == "window_closed"


def plan(wrong: str = "", left: str = "", moves: bool = False) -> Plan:
    """A plan with a preflight that does not pass, a reboot that was left, or something to install."""
    return Plan(
        run_id=RUN, client="acme", host="win01", made_at=EVENING, manager="apt", policy="security", plan_hash="h",
        transaction=[Move(name="web", action="upgrade", before="1", after="2")] if moves else [],
        preflight=[Fact(name="freshness", passed=False, code=wrong, observed="as it is")] if wrong else [],
        reboot=RebootPlan(expected="yes" if left else "no", left=left),
        rollback=Rollback(possible="no", text=""),
    )  # fmt: skip


@pytest.mark.parametrize("code", ["stale", "plan_unsimulated", "broken_state"])
def test_what_is_wrong_with_a_host_that_can_install_nothing_is_told_where_only_patching_is_allowed(
    store: evidence.Store, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    monkeypatch.setattr(guards, "_gate", lambda _job: None)
    stop = guards.first(job_at(store, 1), plan(wrong=code))
    assert stop is not None and (stop.outcome, stop.code) == ("refused", code)


def test_a_window_has_to_allow_what_is_to_be_done(store: evidence.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "_gate", lambda _job: None)
    early, late = job_at(store, 1), job_at(store, 61)
    assert guards.first(early, plan(moves=True)) is None
    for closed in (guards.first(late, plan(moves=True)), guards.first(early, plan(left=RUN))):
        assert closed is not None and (closed.outcome, closed.code) == ("skipped", "window_closed")
    assert guards.first(job_at(store, 40), plan(left=RUN)) is None
