"""A run put together: nobody missing, states that add up, deltas, interrupted runs."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from fleet_runs import NOW, change, finding, header, host_evidence, host_result, record
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.plugin_utils import (
    counting,
    delta,
    documents,
    evidence,
    grade,
    history,
    identifiers,
    processes,
    run_files,
    runs,
    status,
    verdicts,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import STATES
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._registry import CHECKS
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import RunHeader

CHECK_IDS = [check.id for check in CHECKS]
FLEETS = st.lists(
    st.tuples(st.booleans(), st.dictionaries(st.sampled_from(CHECK_IDS), st.sampled_from(STATES), max_size=6)),
    max_size=8,
)


@given(FLEETS)
def test_states_always_add_up(fleet: list[tuple[bool, dict[str, str]]]) -> None:
    hosts = [host_result(f"h{n}", states, reached=reached) for n, (reached, states) in enumerate(fleet)]
    run = runs.summarise(header("01K0000000000000000000000A", [host.host for host in hosts]), hosts, None, NOW)
    assert run.counts is not None
    for counts in (run.counts.hosts, run.counts.results):
        assert counts.total == sum(getattr(counts, state) for state in STATES)
    assert run.counts.hosts.total == len(fleet)
    assert run.counts.results.total == sum(len(states) for _reached, states in fleet)
    told = sum(problem.findings for problem in run.problems)
    assert told == sum(
        1
        for host in hosts
        for result in host.results
        for entry in result.findings
        if entry.state in counting.OPEN_STATES
    )
    assert run.grade is not None
    assert run.grade.pillars
    assert sum(pillar.counts.total for pillar in run.grade.pillars) == run.counts.results.total


@given(FLEETS, FLEETS)
def test_every_open_finding_has_exactly_one_place_in_the_delta(before: list, now: list) -> None:
    old = [host_result(f"h{n}", states, reached=reached) for n, (reached, states) in enumerate(before)]
    new = [host_result(f"h{n}", states, reached=reached) for n, (reached, states) in enumerate(now)]
    previous = runs.summarise(header("01K0000000000000000000000A"), old, None, NOW)
    found = delta.compare(new, previous.checks, previous)
    looked_before = {(host.host, result.check) for host in old for result in host.results}
    open_now = [
        (host.host, result.check)
        for host in new
        for result in host.results
        for entry in result.findings
        if entry.state in counting.OPEN_STATES and (host.host, result.check) in looked_before
    ]
    assert len(found.new) + len(found.worse) + len(found.better) + found.still_open == len(open_now)


def test_a_host_that_left_no_evidence_is_unknown_and_named(tmp_path: Path) -> None:
    store = evidence.Store(tmp_path, "acme")
    run_id = record(store, [host_evidence("web1", {"time.offset": "ok"})], population=["web1", "web2"])
    run = store.read_run(run_id)
    assert run.counts is not None
    assert run.counts.hosts.total == 2
    assert run.counts.hosts.unknown == 1
    lost = next(host for host in run.hosts if host.host == "web2")
    assert not lost.contact.reached
    assert {result.state for result in lost.results} == {"unknown"}
    # Without datasets there is nothing that another machine could have looked at; no schedule was installed here either.
    elsewhere = {check.id for check in CHECKS if check.from_datasets and not check.needs}
    assert set(lost.not_applicable) == {*elsewhere, "availability.schedule", "availability.awx"}
    assert len(lost.results) + len(lost.not_applicable) == len(CHECKS)
    assert status.of(run)["unreached"] == ["web2"]


def test_silence_is_one_problem_not_one_per_check(tmp_path: Path) -> None:
    store = evidence.Store(tmp_path, "acme")
    run = store.read_run(record(store, [], population=["web1", "web2"]))
    assert [(problem.check, problem.hosts) for problem in run.problems] == [("availability.contact", ["web1", "web2"])]
    assert run.grade is not None
    assert run.grade.letter is None, "nothing was seen, so there is nothing to grade"


def test_an_interrupted_run_is_sealed_listed_and_its_evidence_counts(tmp_path: Path) -> None:
    store = evidence.Store(tmp_path, "acme")
    dead = "01K0000000000000000000000A"
    store.begin(header(dead, ["web1", "web2"]))
    store.write_host(host_evidence("web1", {"capacity.space": "act"}, run_id=dead))
    (store.run_dir(dead) / "hosts" / ".web2.json.x.tmp").write_text("torn")
    run_id = record(
        store, [host_evidence("web1", {"capacity.space": [finding("web1", "capacity.space", "act")]})], at=NOW + 60
    )
    run = store.read_run(run_id)
    assert run.interrupted_runs == [dead]
    assert store.read_run(dead).status == "interrupted"
    seal = store.read_manifest(dead)
    assert seal is not None
    assert seal.status == "interrupted"
    assert set(seal.files) == {"run.json", "hosts/web1.json", "hosts/web2.json"}
    assert run.delta is not None
    assert run.delta.previous_run_id is None, "an interrupted run is nothing to compare with"


def test_a_running_run_is_left_alone(tmp_path: Path) -> None:
    store = evidence.Store(tmp_path, "acme")
    store.begin(header("01K0000000000000000000000A", process=processes.this_process()))
    record(store, [host_evidence("web1", {})], at=NOW + 60)
    assert store.unsealed() == ["01K0000000000000000000000A"]


def test_two_runs_that_begin_together_seal_a_dead_one_once(tmp_path: Path) -> None:
    store = evidence.Store(tmp_path, "acme")
    record(store, [host_evidence("web1", {})])
    dead = "01K0000000000000000000000A"
    store.begin(header(dead, [f"web{number}" for number in range(20)]))
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
        begun = [pool.submit(runs.begin, store, header(identifiers.new_run_id(NOW + n)), NOW + 60) for n in (1, 2)]
        assert dead in {run_id for future in begun for run_id in future.result()}
    assert [seal.seq for seal in store.sealed()] == [1, 2]
    assert not history.History(store).behind()


def test_a_long_history_is_not_read_for_every_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = evidence.Store(tmp_path, "acme")
    for day in range(6):
        record(store, [host_evidence("web1", {})], at=NOW + day * 86400)
    read = []
    load = documents.load
    monkeypatch.setattr(run_files, "load", lambda model, path: read.append(path.name) or load(model, path))
    record(store, [host_evidence("web1", {})], at=NOW + 7 * 86400)
    assert read.count("manifest.json") < 6
    assert [seal.seq for seal in store.sealed()] == [*range(1, 8)]
    assert store.broken_links(store.sealed()) == []


def test_a_damaged_end_of_the_chain_stops_a_run_before_it_begins(tmp_path: Path) -> None:
    store = evidence.Store(tmp_path, "acme")
    run_id = record(store, [host_evidence("web1", {})])
    (store.run_dir(run_id) / "manifest.json").write_text("{torn")
    with pytest.raises(documents.EvidenceError, match=r"manifest\.json is not JSON"):
        runs.begin(store, header("01K0000000000000000000000A"), NOW)
    assert store.run_ids() == [run_id]


def test_delta_tells_new_worse_better_resolved_and_open() -> None:
    old = [
        host_result(
            "a", {"time.offset": "watch", "capacity.space": "act", "capacity.inodes": "crit", "network.links": "watch"}
        ),
        host_result("b", {"time.offset": "act"}),
    ]
    new = [
        host_result(
            "a", {"time.offset": "ok", "capacity.space": "crit", "capacity.inodes": "watch", "network.links": "watch"}
        ),
        host_result("b", {"time.offset": "unknown"}),
        host_result("c", {"time.offset": "crit"}),
    ]
    previous = runs.summarise(header("01K0000000000000000000000A"), old, None, NOW)
    found = delta.compare(new, previous.checks, previous)
    assert [(c.host, c.check) for c in found.resolved] == [("a", "time.offset")]
    assert [(c.host, c.check, c.previous_state) for c in found.worse] == [
        ("a", "capacity.space", "act"),
        ("b", "time.offset", "act"),
    ]
    assert [(c.host, c.check) for c in found.better] == [("a", "capacity.inodes")]
    assert found.new == [], "host c was not in the previous run: that is no news about it"
    assert found.still_open == 1


def test_what_was_open_before_a_blind_run_is_not_new_after_it() -> None:
    blind = [host_result("a", {"time.offset": [], "capacity.space": []}, reached=False)]
    for result in blind[0].results:
        result.state = "unknown"
    previous = runs.summarise(header("01K0000000000000000000000A", ["a"]), blind, None, NOW)
    old = [finding("a", "capacity.space", "act", at=NOW - 86400)]
    now = [host_result("a", {"time.offset": "watch", "capacity.space": old}, at=NOW + 60)]
    found = delta.compare(now, previous.checks, previous)
    assert [change.check for change in found.new] == ["time.offset"]
    assert found.still_open == 1


def test_unknown_never_resolves() -> None:
    old = [host_result("a", {"capacity.space": [finding("a", "capacity.space", "act", "/")]})]
    new = [host_result("a", {"capacity.space": [finding("a", "capacity.space", "unknown")]})]
    previous = runs.summarise(header("01K0000000000000000000000A"), old, None, NOW)
    assert delta.compare(new, previous.checks, previous).resolved == []


@pytest.mark.parametrize(
    ("states", "letter", "cap"),
    [
        ({"time.offset": "ok"}, "A", None),
        ({"time.offset": "crit", "capacity.space": "ok"}, "C", "something critical is open"),
        ({"backup.proof": "unknown", **dict.fromkeys(CHECK_IDS[:30], "ok")}, "B", "no restore has been proven"),
        ({"backup.present": "act", **dict.fromkeys(CHECK_IDS[:3], "ok")}, "B", "no restore has been proven"),
    ],
)
def test_caps_limit_the_grade(states: dict, letter: str, cap: str | None) -> None:
    states = {check: state for check, state in states.items() if check in CHECK_IDS}
    run = runs.summarise(header("01K0000000000000000000000A"), [host_result("a", states)], None, NOW)
    assert run.grade is not None
    if cap is None:
        assert run.grade.letter == letter
        assert run.grade.improve == []
    else:
        assert any(cap in entry.reason for entry in run.grade.caps)
        assert run.grade.letter is not None
        assert run.grade.letter >= letter
        assert run.grade.improve


def test_too_many_unseen_hosts_make_the_grade_uncertain() -> None:
    seen = [host_result(f"h{n}", {"time.offset": "ok"}) for n in range(18)]
    lost = host_result("lost", {"availability.contact": "unknown"}, reached=False)
    run = runs.summarise(header("01K0000000000000000000000A"), [*seen, lost], None, NOW)
    assert run.grade is not None
    assert run.grade.uncertain
    assert any("1 of 19 hosts could not be looked at" in cap.reason for cap in run.grade.caps)


def test_the_score_is_never_rounded_up() -> None:
    assert grade._floor(89.99) == 89.9


@pytest.mark.parametrize(
    ("states", "sentence"),
    [
        (["ok"], "The host is in good shape."),
        (["ok", "ok"], "All 2 hosts are in good shape."),
        (["crit"], "The host is critical."),
        (
            ["crit", "act", "ok", "unknown"],
            "Of 4 hosts, 1 is critical, 1 needs action, 1 is not fully known, 1 is in good shape.",
        ),
        (["accepted"], "The host is in good shape, with an accepted risk."),
        (["accepted", "ok", "ok"], "All 3 hosts are in good shape, 1 of them with an accepted risk."),
        (
            ["act", "accepted", "ok"],
            "Of 3 hosts, 1 needs action, 2 are in good shape, 1 of them with an accepted risk.",
        ),
        (["act", "accepted"], "Of 2 hosts, 1 needs action, 1 is in good shape, with an accepted risk."),
    ],
)
def test_verdict_is_one_plain_sentence(states: list[str], sentence: str) -> None:
    hosts = [host_result(f"h{n}", {"time.offset": state}) for n, state in enumerate(states)]
    assert verdicts.of_counts(counting.count_run(hosts)) == sentence


def test_a_change_that_a_killed_run_left_open_stays_running(tmp_path: Path) -> None:
    store = evidence.Store(tmp_path, "acme")
    killed = header("01K0000000000000000000000A").model_copy(update={"acting": ["patching"]})
    runs.begin(store, killed, NOW)
    store.write_change(change("web1", "running", run_id=killed.run_id, log="Unpacking ..."))
    assert runs.begin(store, header("01K0000000000000000000000B"), NOW + 60) == [killed.run_id]
    sealed = store.read_run(killed.run_id)
    assert sealed.status == "interrupted"
    assert sealed.header.acting == ["patching"]
    assert [(entry.outcome, entry.log) for entry in sealed.changes] == [("running", "Unpacking ...")]
    assert [entry.outcome for entry in history.History(store).changes("patching")] == ["running"]


def acting(run_id: str, process: dict | None = None) -> RunHeader:
    return header(run_id, process=process).model_copy(update={"acting": ["patching"]})


def test_only_one_run_at_a_time_changes_hosts(tmp_path: Path) -> None:
    store = evidence.Store(tmp_path, "acme")
    first = acting("01K0000000000000000000000A", process=processes.this_process())
    runs.begin(store, first, NOW)
    # A run that only looks is no obstacle and meets none.
    runs.begin(store, header("01K0000000000000000000000B", process=processes.this_process()), NOW)
    with pytest.raises(documents.EvidenceError) as caught:
        runs.begin(store, acting("01K0000000000000000000000C"), NOW)
    assert str(caught.value) == (
        f"Hosts of Acme are being changed (patching) by run {first.run_id}, since 2026-11-23T02:00:00Z, started by ops "
        "on control (timer). Only one run at a time may change a client's hosts. "
        f"Wait for its end, or stop process {processes.this_process()['pid']} there."
    )
    assert "01K0000000000000000000000C" not in store.run_ids()
    runs.conclude(store, first.run_id, NOW)
    runs.begin(store, acting("01K0000000000000000000000C"), NOW)


def test_a_killed_run_with_a_worker_still_at_a_host_counts_as_acting(tmp_path: Path) -> None:
    store = evidence.Store(tmp_path, "acme")
    killed = acting("01K0000000000000000000000A")
    runs.begin(store, killed, NOW)
    with store.observing(killed.run_id), pytest.raises(documents.EvidenceError, match="workers of it are still"):
        runs.begin(store, acting("01K0000000000000000000000B"), NOW)
    assert runs.begin(store, acting("01K0000000000000000000000B"), NOW) == [killed.run_id]


def test_of_two_runs_that_want_to_act_at_the_same_moment_one_is_refused(tmp_path: Path) -> None:
    with ProcessPoolExecutor(6, mp_context=multiprocessing.get_context("fork")) as pool:
        began = [pool.submit(_begin_acting, tmp_path, f"01K000000000000000000000{n:02d}") for n in range(6)]
        assert sorted(entry.result() for entry in began) == [False] * 5 + [True]


def _begin_acting(state: Path, run_id: str) -> bool:
    try:
        runs.begin(evidence.Store(state, "acme"), acting(run_id, process=processes.this_process()), NOW)
    except documents.EvidenceError:
        return False
    return True


def test_a_host_that_was_not_reached_counts_only_what_was_asked_for(tmp_path: Path) -> None:
    store = evidence.Store(tmp_path, "acme")
    part = header("01K0000000000000000000000A").model_copy(update={"subset": ["packages"]})
    runs.begin(store, part, NOW)
    run = runs.conclude(store, part.run_id, NOW)
    of_packages = {check.id for check in CHECKS if set(check.needs) <= {"packages"}}
    asked = of_packages - set(run.hosts[0].not_applicable)
    assert {result.check for result in run.hosts[0].results} == asked
    assert len(asked) < len(CHECKS)
    assert run.counts is not None
    assert run.counts.results.unknown == len(asked)
