# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When the next ring may go."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord, Version
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import gates, kinds, rings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import (
    Fact,
    Item,
    Move,
    Plan,
    RebootPlan,
    Rollback,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.options import Options

NOW = 1_800_000_000.0
HOUR = 3600.0
TODAY = "01KTODAY000000000000000000"
# Rings of one canary, two and three hosts.
HOSTS = {"c1": 1, "w1": 2, "w2": 2, "d1": 3, "d2": 3, "d3": 3}


def plan(host: str, *packages: str, lane: t.Literal["normal", "emergency"] = "normal", **more: t.Any) -> Plan:
    moves = [Move(name=name, action="upgrade", before="1", after="2") for name in packages]
    return Plan(
        run_id=TODAY,
        client="acme",
        host=host,
        made_at=iso(NOW),
        manager="apt",
        policy="security",
        lane=lane,
        transaction=moves,
        plan_hash="0",
        reboot=RebootPlan(expected="no"),
        rollback=Rollback(possible="no", text=""),
        **more,
    )


def change(host: str, outcome: str, hours_ago: float, run: str = "", **more: t.Any) -> ChangeRecord:
    moment = iso(NOW - hours_ago * HOUR)
    return ChangeRecord(
        run_id=run or f"01KRUN{int(1e6 - hours_ago):020d}",
        client="acme",
        host=host,
        chore=more.pop("chore", "patching"),
        outcome=t.cast(t.Any, outcome),
        started_at=moment,
        ended_at=moment,
        text=more.pop("text", ""),
        versions=more.pop("versions", [Version(name="kw-tool", before="1", after="2")]),
        **more,
    )


def ask(
    host: str,
    *records: ChangeRecord,
    plans: t.Sequence[Plan] | None = None,
    population: t.Sequence[str] = tuple(HOSTS),
    pairs: t.Mapping[str, str] | None = None,
    **options: t.Any,
) -> gates.Decision:
    schedule = rings.schedule({name: rings.Wish(ring, (pairs or {}).get(name)) for name, ring in HOSTS.items()})
    known = {entry.host: entry for entry in plans} if plans is not None else {name: plan(name) for name in HOSTS}
    known.setdefault(host, plan(host, "kw-tool"))
    if known[host].empty and plans is None:
        known[host] = plan(host, "kw-tool")
    return gates.gate(host, schedule, gates.Round(TODAY, population, known, records), Options(**options), NOW)


def test_the_canary_goes_first_and_needs_nobody():
    assert ask("c1").go


def test_the_second_ring_waits_while_the_canary_has_not_got_its_own_updates():
    decision = ask("w1", plans=[plan("c1", "kw-tool"), plan("w1", "kw-tool")])
    assert not decision.go
    assert decision.code == "ring"
    assert "c1 still has to get its own updates" in decision.text


def test_an_old_success_of_the_canary_does_not_speak_for_new_updates():
    last_month = change("c1", "done", 700)
    decision = ask("w1", last_month, plans=[plan("c1", "kw-new"), plan("w1", "kw-new")])
    assert decision.code == "ring"


@pytest.mark.parametrize(("hours", "go"), [(23.9, False), (24.1, True)])
def test_the_second_ring_waits_for_the_soak(hours, go):
    decision = ask("w1", change("c1", "done", hours))
    assert decision.go is go
    assert decision.code == ("" if go else "ring_soak")


def test_a_run_in_which_nothing_was_to_do_does_not_begin_the_soak_anew():
    assert ask("w1", change("c1", "done", 30), change("c1", "nothing", 0.1, TODAY)).go


@pytest.mark.parametrize("outcome", ["failed", "rolled_back", "lost", "running"])
def test_a_canary_that_went_wrong_stops_every_other_host_and_is_named(outcome):
    wrong = change("c1", outcome, 30, text="kw-svc does not run.")
    for host in ("w1", "d3"):
        decision = ask(host, wrong)
        assert decision.code == "ring_failed"
        assert "c1 (ring 1)" in decision.text
        assert "kw-svc does not run." in decision.text
        assert "kw-tool 2" in decision.text
    assert ask("c1", wrong).go


def test_a_failure_in_a_later_ring_does_not_stop_the_canary():
    assert ask("c1", change("d1", "failed", 1)).go


def test_a_host_of_the_same_batch_that_is_at_work_now_does_not_stop_its_neighbour():
    records = [change("c1", "done", 30), change("w2", "running", 0, TODAY)]
    assert ask("w1", *records).go


def test_a_later_success_puts_a_failure_right():
    assert ask("w1", change("c1", "failed", 60), change("c1", "done", 30)).go


def test_a_release_lets_the_client_go_on_and_only_after_the_failure():
    failed = change("c1", "failed", 30)
    assert ask("w1", failed, change("c1", "released", 10, chore="release")).go
    assert not ask("w1", failed, change("c1", "released", 50, chore="release")).go


def test_new_findings_on_the_canary_hold_the_next_ring():
    decision = ask("w1", change("c1", "done", 30, findings_new=["services.failed: kw-svc.service"]))
    assert decision.code == "ring"
    assert "services.failed: kw-svc.service" in decision.text


def test_a_canary_that_was_only_restarted_has_not_tried_its_updates():
    restarted = change("c1", "done", 0, TODAY, versions=[])
    plans = [plan("c1", "kw-tool"), plan("w1", "kw-tool")]
    decision = ask("w1", restarted, plans=plans, rings=[{"soak_h": 0}])
    assert "c1 got none of its updates" in decision.text


def test_who_got_nothing_of_what_is_wanted_is_none_of_the_hosts_that_have_to_be_well():
    """w1 is up to date without kw-tool since long ago; w2 has it pending, so nobody has tried it."""
    records = [change("c1", "done", 90), change("w1", "done", 2000, versions=[Version(name="kw-old", after="2")])]
    plans = [plan("c1"), plan("w1"), plan("w2", "kw-tool"), plan("d1", "kw-tool")]
    rules = [{"soak_h": 24}, {"soak_h": 24, "good": 1}]
    assert "0 of 1" in ask("d1", *records, plans=plans, rings=rules).text
    urgent = [*plans[:3], plan("d1", "kw-tool", lane="emergency")]
    assert ask("d1", *records, plans=urgent).code == "ring"
    assert ask("d1", *records, change("w2", "done", 30), plans=[*plans[:2], plan("w2"), plans[3]], rings=rules).go


def test_the_end_of_an_earlier_change_is_not_the_one_that_is_planned_now():
    adopted = change("c1", "done", 0, TODAY, begun_by="01KRUN" + "0" * 20)
    plans = [plan("c1", "kw-tool"), plan("w1", "kw-tool")]
    decision = ask("w1", adopted, plans=plans, rings=[{"soak_h": 0}])
    assert "c1 still has to get its own updates" in decision.text


def test_nobody_waits_for_a_host_that_is_never_patched():
    fact = Fact(name="package_manager", passed=False, code="not_supported", observed="yum of EL 7 is not supported")
    never = plan("c1", "kw-tool").model_copy(update={"preflight": [fact]})
    assert ask("w1", plans=[never, plan("w1", "kw-tool")]).go


def of_kinds(host: str, wishes: t.Mapping[str, rings.Wish], *records: ChangeRecord) -> gates.Decision:
    """Ask for a host of a client whose rings were made; those that this run has are planned."""
    here = [name for name, wish in wishes.items() if wish.here]
    plans = {name: plan(name, "kw-tool") for name in here}
    known = gates.Round(TODAY, here, plans, records)
    return gates.gate(host, rings.schedule(wishes), known, Options(), NOW)


def test_a_host_that_nobody_has_looked_at_may_be_the_canary():
    names = [f"h{number}" for number in range(12)]
    whole = rings.schedule({name: rings.Wish(kind="debian") for name in names})
    later = next(name for name in names if whole.ring_of(name) == 3)
    [canary] = (name for name in names if whole.ring_of(name) == 1)
    few = {name: rings.Wish(kind="debian") if name == later else rings.Wish(here=False) for name in names}
    decision = of_kinds(later, few)
    assert decision.code == "ring"
    assert f"{canary} was never patched and is not part of this run" in decision.text


def test_no_canary_speaks_for_a_host_whose_system_nobody_could_tell():
    wishes = {"a": rings.Wish(kind="debian"), "b": rings.Wish()}
    assert of_kinds("a", wishes).go
    assert of_kinds("b", wishes).code == "ring"
    assert "patching_ring" in of_kinds("b", wishes).text
    assert of_kinds("b", {"a": rings.Wish(1, kind="debian"), "b": rings.Wish(1)}).go


def test_who_holds_others_by_new_findings_can_be_released():
    worse = change("c1", "done", 30, findings_new=["services.failed: kw-svc.service"])
    records = [worse, change("w1", "failed", 3), change("w2", "done", 3)]
    assert gates.releasable(records) == ["c1", "w1"]
    released = change("c1", "released", 1, chore="release")
    assert gates.releasable([*records, released]) == ["w1"]
    assert ask("w2", worse, released).go


def test_a_canary_that_was_stopped_half_way_does_not_speak_for_the_rest():
    stopped = change("c1", "done", 0, TODAY, stopped="On hold until Friday: an audit.")
    plans = [plan("c1", "kw-tool", "kw-more"), plan("w1", "kw-tool", "kw-more")]
    decision = ask("w1", stopped, plans=plans, rings=[{"soak_h": 0}])
    assert decision.code == "ring"
    assert "c1 was stopped before it had all of its updates" in decision.text
    whole = stopped.model_copy(update={"stopped": ""})
    assert ask("w1", whole, plans=plans, rings=[{"soak_h": 0}]).go


def test_a_canary_that_is_not_reached_is_not_well():
    decision = ask("w1", change("c1", "done", 30), plans=[plan("w1", "kw-tool")])
    assert decision.code == "ring"
    assert "c1 was not reached in this run" in decision.text


def test_a_canary_outside_of_the_run_speaks_only_for_what_it_got():
    alone = {"population": ["w1"], "plans": [plan("w1", "kw-tool")]}
    assert ask("w1", change("c1", "done", 30), **alone).go
    other = ask("w1", change("c1", "done", 30), population=["w1"], plans=[plan("w1", "kw-other")])
    assert "never got kw-other as planned here" in other.text
    assert not ask("w1", **alone).go


def test_as_many_hosts_of_a_ring_as_asked_for_have_to_be_well():
    records = [change("c1", "done", 90), change("w1", "done", 30)]
    plans = [plan("c1"), plan("w1"), plan("w2", "kw-tool"), plan("d1", "kw-tool")]
    assert not ask("d1", *records, plans=plans).go
    assert ask("d1", *records, plans=plans, rings=[{"soak_h": 24}, {"soak_h": 24, "good": 1}]).go


@pytest.mark.parametrize(
    ("name", "observed"),
    [
        ("freshness", "the lists of packages are 9 days old"),
        ("simulation", "kw-tool depends on kw-gone"),
        ("package_state", "kw-broken: configuration failed"),
    ],
)
def test_a_canary_that_cannot_tell_what_it_lacks_is_not_up_to_date(name, observed):
    """Its plan is empty, as that of a host with nothing to get, and its last change is well and long ago."""
    blind = plan("c1", preflight=[Fact(name=name, passed=False, code="x", observed=observed)])
    decision = ask("w1", change("c1", "done", 700), plans=[blind, plan("w1", "kw-tool")])
    assert decision.code == "ring"
    assert f"c1 cannot tell whether it has its updates: {name}: {observed}" in decision.text


def test_a_canary_whose_package_manager_leaves_out_what_is_wanted_is_not_up_to_date():
    wanted = Item(name="kw-tool", version="2", update_class="security", deadline=iso(NOW))
    decision = ask("w1", change("c1", "done", 700), plans=[plan("c1", items=[wanted]), plan("w1", "kw-tool")])
    assert "leaves kw-tool as it is" in decision.text


def test_what_stands_against_a_change_alone_does_not_make_an_empty_plan_doubtful():
    locked = plan("c1", preflight=[Fact(name="keepwell", passed=False, code="host_locked", observed="at work")])
    assert ask("w1", change("c1", "done", 30), plans=[locked, plan("w1", "kw-tool")]).go


def test_who_had_nothing_to_get_is_not_the_host_that_proves_it():
    one = {"rings": [{"soak_h": 24}, {"soak_h": 24, "good": 1}]}
    canary = change("c1", "done", 90)
    plans = [plan("c1"), plan("w1"), plan("w2", "kw-tool"), plan("d1", "kw-tool")]
    decision = ask("d1", canary, plans=plans, **one)
    assert decision.code == "ring"
    assert "Ring 2 has 0 of 1 hosts that have to be well" in decision.text
    assert ask("d1", canary, change("w2", "done", 30), plans=[*plans[:2], plan("w2"), plans[3]], **one).go
    # A ring in which nobody had anything to get stands against nobody.
    assert ask("d1", canary, plans=[*plans[:2], plan("w2"), plans[3]], **one).go


def test_an_emergency_waits_for_two_hours_and_one_host():
    urgent = [plan("c1"), plan("w1", "kw-tool", lane="emergency")]
    assert not ask("w1", change("c1", "done", 1.9), plans=urgent).go
    assert ask("w1", change("c1", "done", 2.1), plans=urgent).go


def test_the_other_node_of_a_pair_waits_while_one_is_not_well_or_away():
    pairs = {"w1": "db", "w2": "db"}
    canary = change("c1", "done", 30)
    away = ask("w1", canary, pairs=pairs, plans=[plan("c1"), plan("w1", "kw-tool")])
    assert away.code == "pair"
    assert "w2, another node of 'db', was not reached" in away.text


def test_what_came_with_a_failed_change_is_suspect_for_later_rings():
    schedule = rings.schedule({name: rings.Wish(ring) for name, ring in HOSTS.items()})
    failed = change("w1", "failed", 3)
    assert set(gates.suspects("d1", schedule, [failed])) == {("kw-tool", "2")}
    assert gates.suspects("c1", schedule, [failed]) == {}
    assert gates.suspects("d1", schedule, [failed, change("w1", "done", 1)]) == {}


@given(st.sampled_from(["failed", "rolled_back", "lost"]), st.floats(0, 10_000), st.sampled_from(sorted(HOSTS)))
def test_nothing_but_repair_or_release_opens_the_gate_behind_a_failure(outcome, hours, wrong):
    records = [change(name, "done", hours + 100) for name in HOSTS] + [change(wrong, outcome, hours)]
    for host, ring in HOSTS.items():
        if host != wrong and ring >= HOSTS[wrong]:
            assert not ask(host, *records).go


@pytest.mark.parametrize("outcome", ["failed", "rolled_back", "lost"])
def test_a_run_in_which_nothing_was_to_do_repairs_nothing(outcome):
    """The packages of a failed change are in place: the next run has nothing to do, and the host is as broken."""
    records = [change("w1", outcome, 30), change("w1", "nothing", 1, TODAY)]
    assert gates.unresolved(records) == ["w1"]
    assert gates.suspects("w2", rings.schedule({"w1": rings.Wish(1), "w2": rings.Wish(1)}), records)


# Three Windows hosts and two Debian hosts, in rings that were made; the names only say which.
MIXED = rings.schedule(
    {
        f"{kind}{number}": rings.Wish(kind=kind)
        for kind, count in (("windows", 3), ("debian", 2))
        for number in range(count)
    }
)


def of_kind(kind: str) -> list[str]:
    """The hosts of a kind in the order of their rings."""
    return sorted((host for host in MIXED.rings if host.startswith(kind)), key=MIXED.ring_of)


WINDOWS, DEBIAN = of_kind("windows"), of_kind("debian")


def ask_mixed(host: str, *records: ChangeRecord, away: t.Collection[str] = (), **options: t.Any) -> gates.Decision:
    """Ask for a host of the mixed client; everybody who was not patched yet has something to do."""
    done = {record.host for record in records if record.outcome == "done"}
    plans = {name: plan(name, *([] if name in done else ["kw-tool"])) for name in MIXED.rings if name not in away}
    known = gates.Round(TODAY, list(MIXED.rings), plans, records)
    return gates.gate(host, MIXED, known, Options(**options), NOW)


def test_every_kind_has_its_canary_in_the_first_night():
    for canary in (WINDOWS[0], DEBIAN[0]):
        assert MIXED.ring_of(canary) == 1
        assert ask_mixed(canary).go
    for later in (WINDOWS[1], WINDOWS[2], DEBIAN[1]):
        assert not ask_mixed(later).go


def test_the_canary_of_one_kind_does_not_speak_for_another():
    tried = change(DEBIAN[0], "done", 30)
    assert ask_mixed(DEBIAN[1], tried).go
    decision = ask_mixed(WINDOWS[1], tried)
    assert decision.code == "ring"
    assert decision.text == (
        "Ring 1 of the Windows hosts has 0 of 1 hosts that have to be well before the next ring: "
        f"{WINDOWS[0]} still has to get its own updates."
    )


def test_one_good_host_is_asked_for_of_every_kind():
    assert not ask_mixed(WINDOWS[1], change(DEBIAN[0], "done", 30), rings=[{"good": 1}]).go


def test_a_canary_that_is_away_or_has_new_findings_holds_its_own_kind():
    records = [change(DEBIAN[0], "done", 30), change(WINDOWS[0], "done", 30, findings_new=["services.failed: Spooler"])]
    assert ask_mixed(DEBIAN[1], *records).go
    assert "services.failed: Spooler" in ask_mixed(WINDOWS[1], *records).text
    assert ask_mixed(DEBIAN[1], records[0], away=[WINDOWS[0]]).go
    assert f"{WINDOWS[0]} was not reached" in ask_mixed(WINDOWS[1], records[0], away=[WINDOWS[0]]).text


@pytest.mark.parametrize("outcome", ["failed", "rolled_back", "lost", "running"])
@pytest.mark.parametrize("wrong", [WINDOWS[0], DEBIAN[0]])
def test_a_canary_that_went_wrong_stops_the_client_whatever_its_kind(outcome, wrong):
    records = [change(name, "done", 30) for name in MIXED.rings if name != wrong] + [change(wrong, outcome, 20)]
    for host in MIXED.rings:
        decision = ask_mixed(host, *records)
        assert decision.go is (host == wrong)
        if host != wrong:
            assert decision.code == "ring_failed"
            assert f"{wrong} (ring 1, {kinds.title(MIXED.kind_of(wrong))})" in decision.text


def test_declared_rings_wait_for_every_kind():
    wanted = {"lin1": rings.Wish(1, kind="debian"), "win1": rings.Wish(1, kind="windows")}
    schedule = rings.schedule({**wanted, "win2": rings.Wish(2, kind="windows")})
    plans = {"lin1": plan("lin1", "kw-tool"), "win1": plan("win1"), "win2": plan("win2", "kw-tool")}
    known = gates.Round(TODAY, list(plans), plans, [change("win1", "done", 30)])
    decision = gates.gate("win2", schedule, known, Options(), NOW)
    assert decision.text.startswith("Ring 1 has 1 of 2 hosts")
    assert "lin1 still has to get its own updates" in decision.text
