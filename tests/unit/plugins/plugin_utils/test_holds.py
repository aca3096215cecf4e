"""Holds: whom they keep back and until when, how they end, and what the files of a client keep of them."""

from __future__ import annotations

import typing as t
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from fleet_runs import NOW, header, host_evidence, record

from ansible_collections.keepwell.fleet.plugins.plugin_utils import (
    documents,
    evidence,
    hold_files,
    holds,
    lease,
    processes,
    runs,
    status,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import guards
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import epoch, iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Trigger
from ansible_collections.keepwell.fleet.plugins.plugin_utils.settings import SettingsError

DAY = 86400.0
OPS = Trigger(user="ops", controller="control", origin="terminal")
ZONE = ZoneInfo("Europe/Amsterdam")


def hold(number: int, *hosts: str, days: float = 7, at: float = NOW) -> holds.Hold:
    return holds.Hold(
        hold_id=f"01K00000000000000000000H{number:02d}",
        client="acme",
        hosts=list(hosts),
        reason="break-in under investigation.",
        placed_at=iso(at),
        until=iso(at + days * DAY),
        placed_by=OPS,
    )


def release(held: holds.Hold, *hosts: str, at: float = NOW) -> holds.Release:
    return holds.Release(
        hold_id=held.hold_id,
        client="acme",
        hosts=list(hosts),
        reason="image made",
        released_at=iso(at),
        released_by=OPS,
    )


@pytest.fixture
def store(tmp_path: Path) -> evidence.Store:
    return evidence.Store(tmp_path, "acme")


def test_a_hold_on_the_client_keeps_every_host_back_and_ends_by_itself() -> None:
    known = holds.Holds([hold(1)], [])
    assert known.against("web1", NOW) == hold(1)
    assert known.against("of tomorrow", NOW + 7 * DAY - 1) == hold(1)
    assert known.against("web1", NOW + 7 * DAY) is None


def test_of_several_the_one_that_lasts_longest_is_named() -> None:
    known = holds.Holds([hold(1, "web1", days=3), hold(2, days=5), hold(3, "db1", days=9)], [])
    assert known.against("web1", NOW) == hold(2, days=5)
    assert known.against("db1", NOW) == hold(3, "db1", days=9)
    assert known.against("web1", NOW + 6 * DAY) is None


def test_hosts_are_let_go_one_by_one() -> None:
    both = hold(1, "web1", "db1")
    known = holds.Holds([both], [release(both, "web1")])
    assert (known.against("web1", NOW), known.against("db1", NOW)) == (None, both)
    assert known.summary(both).hosts == ["db1"]
    done = holds.Holds([both], [release(both, "web1"), release(both, "db1")])
    assert done.active(NOW) == []
    whole = hold(2)
    known = holds.Holds([whole], [release(whole, "web1")])
    assert (known.against("web1", NOW), known.against("db1", NOW)) == (None, whole)
    assert holds.names(known.summary(whole).hosts, known.summary(whole).except_hosts) == "the whole client but web1"
    assert holds.Holds([whole], [release(whole)]).active(NOW) == []


def test_what_is_released_is_what_keeps_these_hosts_back() -> None:
    first, second = hold(1, "web1", "db1"), hold(2)
    known = holds.Holds([first, second], [release(first, "web1")])
    assert holds.to_release(known, [], NOW) == [(first, []), (second, [])]
    assert holds.to_release(known, ["web1"], NOW) == [(second, ["web1"])]
    assert holds.to_release(known, ["db1"], NOW) == [(first, ["db1"]), (second, ["db1"])]
    assert holds.to_release(known, [], NOW + 8 * DAY) == []


def test_the_end_is_the_last_minute_of_a_day_by_the_clients_clock() -> None:
    # 2026-11-23 02:00 UTC
    assert iso(holds.end("2026-12-05", NOW, "Europe/Amsterdam")) == "2026-12-05T22:59:00Z"
    assert iso(holds.end("", NOW, "Europe/Amsterdam")) == "2026-11-30T22:59:00Z"
    assert iso(holds.end(None, NOW, "UTC")) == "2026-11-30T23:59:00Z"
    assert iso(holds.end("2026-12-05T18:00+01:00", NOW, "UTC")) == "2026-12-05T17:00:00Z"
    assert iso(holds.end("2026-11-23", NOW, "UTC")) == "2026-11-23T23:59:00Z"


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("2026-11-22", "keepwell_until: '2026-11-22' is past; a hold ends later than now."),
        ("2027-02-23", "keepwell_until: '2027-02-23' is more than 90 days away. Place a hold again when it ends."),
        (
            "2026-12-05T18:00",
            "keepwell_until: '2026-12-05T18:00' has no zone. Write 2026-12-05T18:00Z, or a day alone.",
        ),
        ("friday", "keepwell_until: 'friday' is no day like 2026-12-05, and no time like 2026-12-05T18:00Z."),
        ("2026-02-30", "keepwell_until: '2026-02-30' is no day like 2026-12-05, and no time like 2026-12-05T18:00Z."),
        ("0001-01-01", "keepwell_until: '0001-01-01' is past; a hold ends later than now."),
    ],
)
def test_an_end_that_cannot_be_is_refused(value: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        holds.end(value, NOW, "UTC")
    assert caught.value.problems == [sentence]


def test_the_longest_hold_is_allowed() -> None:
    assert iso(holds.end("2027-02-21", NOW, "UTC")) == "2027-02-21T23:59:00Z"


@pytest.mark.parametrize("value", ["", None, "  ", "x\n"])
def test_a_hold_without_a_reason_is_refused(value: t.Any) -> None:
    with pytest.raises(SettingsError, match=r"^keepwell_reason: say in a few words why"):
        holds.reason(value)


def test_the_same_hold_twice_is_one() -> None:
    known = holds.Holds([hold(1, "web1", "db1")], [])
    until = epoch(known.holds[0].until)
    assert holds.same(known, ["db1", "web1"], known.holds[0].reason, until, NOW) == known.holds[0]
    assert holds.same(known, ["web1"], known.holds[0].reason, until, NOW) is None
    assert holds.same(known, ["db1", "web1"], known.holds[0].reason, until + 60, NOW) is None
    gone = holds.Holds(known.holds, [release(known.holds[0], "web1")])
    assert holds.same(gone, ["db1", "web1"], known.holds[0].reason, until, NOW) is None


def test_the_files_keep_everything_that_was_ever_held_and_released(store: evidence.Store) -> None:
    assert hold_files.read(store) == holds.Holds([], [])
    first, second = hold(1, "web1"), hold(2)
    for entry in (first, second):
        hold_files.place(store, entry)
    hold_files.release(store, release(first), NOW)
    hold_files.release(store, release(second, "web1"), NOW)
    (store.root / "holds" / ".01K.json.x.tmp").write_text("torn")
    known = hold_files.read(store)
    assert list(known.holds) == [first, second]
    assert {entry.hold_id for entry in known.releases} == {first.hold_id, second.hold_id}
    assert known.active(NOW) == [second]


def test_a_reason_steers_no_terminal() -> None:
    assert holds.reason(" audit\n week\x1b[2J\u202e ") == "audit week[2J"


# --- the judge that every chore asks


def job(store: evidence.Store, run_id: str, host: str = "web1", now: float = NOW, **more: t.Any) -> t.Any:
    settings = SimpleNamespace(
        plan=SimpleNamespace(buys=lambda chore: more.get("buys", True)),
        calendar=SimpleNamespace(zone=ZONE),
        unsigned=lambda now: "",
    )
    options = SimpleNamespace(hold=more.get("hold", ""))
    return SimpleNamespace(
        chore="patching", host=host, store=store, run_id=run_id, now=lambda: now, settings=settings, options=options
    )


@pytest.fixture
def begun(store: evidence.Store) -> str:
    run_id = "01K0000000000000000000000A"
    mine = processes.this_process()
    runs.begin(store, header(run_id, process=mine).model_copy(update={"acting": ["patching"]}), NOW)
    return run_id


def test_a_hold_that_is_placed_while_a_run_goes_on_stops_its_next_step(store: evidence.Store, begun: str) -> None:
    assert guards.bought(job(store, begun)) is None
    hold_files.place(store, hold(1, "web1"))
    stop = guards.bought(job(store, begun))
    assert stop == guards.halted(job(store, begun))
    assert stop == (
        "skipped",
        "held",
        "On hold until Mon 2026-11-30 03:00 Europe/Amsterdam: break-in under investigation (placed by ops on control).",
    )
    assert guards.bought(job(store, begun, "db1")) is None
    assert guards.bought(job(store, begun, now=NOW + 7 * DAY)) is None
    hold_files.release(store, release(hold(1)), NOW)
    assert guards.bought(job(store, begun)) is None


def test_the_variable_of_the_role_holds_as_before(store: evidence.Store, begun: str) -> None:
    stop = guards.bought(job(store, begun, hold="audit"))
    assert stop == ("skipped", "held", "Patching of this host is on hold: audit")


def test_nothing_is_begun_without_the_lease(store: evidence.Store, begun: str) -> None:
    lease.Leases(store).release(begun, NOW)
    stop = guards.halted(job(store, begun))
    assert stop is not None
    assert (stop.outcome, stop.code) == ("refused", "no_lease")
    assert guards.bought(job(store, begun, buys=False)) == stop


def test_nothing_is_begun_while_a_hold_cannot_be_read(store: evidence.Store, begun: str) -> None:
    hold_files.place(store, hold(1, "db1"))
    (store.root / "holds" / "broken.json").write_text("{}")
    with pytest.raises(documents.EvidenceError, match=r"broken\.json is not a Hold"):
        guards.bought(job(store, begun))


# --- what a run tells of them


def test_a_run_tells_what_is_held_and_once_what_has_ended(store: evidence.Store) -> None:
    for entry in (hold(1, "web1", days=1), hold(2, days=3), hold(3, "db1", days=1)):
        hold_files.place(store, entry)
    hold_files.release(store, release(hold(3)), NOW)
    first, second, third = (
        store.read_run(record(store, [host_evidence("web1", {})], at=NOW + days * DAY)) for days in (0, 2, 2.5)
    )
    assert [entry.hold_id[-1] for entry in first.holds] == ["1", "2"]
    assert first.expired_holds == []
    assert [entry.hold_id[-1] for entry in second.holds] == ["2"]
    assert [(entry.hosts, entry.by) for entry in second.expired_holds] == [(["web1"], "ops on control")]
    assert third.expired_holds == []
    told = status.headline(second, "there")
    assert told["holds"] == [
        "the whole client until Thu 2026-11-26 02:00 UTC: break-in under investigation (placed by ops on control)"
    ]
    assert told["expired_holds"][0].startswith("web1 until Tue 2026-11-24 02:00 UTC: break-in")
    assert status.of(second)["holds"] == 1


def test_an_end_that_only_a_killed_run_saw_is_told_by_the_next(store: evidence.Store) -> None:
    record(store, [host_evidence("web1", {})], at=NOW)
    hold_files.place(store, hold(1, "web1", days=1))
    runs.begin(store, header("01K0000000000000000000000A", at=NOW + 2 * DAY), NOW + 2 * DAY)
    run = store.read_run(record(store, [host_evidence("web1", {})], at=NOW + 3 * DAY))
    assert [entry.hosts for entry in run.expired_holds] == [["web1"]]


def test_a_hold_that_cannot_be_read_is_told_and_a_run_is_recorded_all_the_same(store: evidence.Store) -> None:
    hold_files.place(store, hold(1))
    (store.root / "holds" / f"{hold(1).hold_id}.json").write_text("[]")
    run = store.read_run(record(store, [host_evidence("web1", {})]))
    assert run.status == "complete"
    assert "is not a Hold of this version" in run.altered_evidence[0]
    assert run.grade is not None
    assert run.grade.letter is None
