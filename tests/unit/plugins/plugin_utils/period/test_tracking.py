"""Findings from run to run: what begins, what ends, and what ends nothing."""

from __future__ import annotations

import typing as t

import period_maker
import pytest
from fleet_runs import NOW, change, finding, header, host_result

from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Acceptance, CheckInfo, HostResult, iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.period.tracking import Tracker, flow
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Run

DAY = 86400.0
PENDING = "patching.security_pending"


def run(day: int, hosts: list[HostResult], **more: t.Any) -> Run:
    at = NOW + day * DAY
    about = header(f"01K{day:023d}", [host.host for host in hosts], at)
    about = about.model_copy(update=more.pop("header", {}))
    check = CheckInfo(id=PENDING, pillar="patching", title="Pending security updates", advice="Install them.")
    return Run(status="complete", header=about, ended_at=iso(at + 60), checks=[check], hosts=hosts, **more)


def pending(day: int, first: int = 0, state: str = "act", **more: t.Any) -> HostResult:
    found = finding("web1", PENDING, state, "security", at=NOW + first * DAY, **more)
    return host_result("web1", {PENDING: [found]}, NOW + day * DAY)


def well(day: int) -> HostResult:
    return host_result("web1", {PENDING: "ok"}, NOW + day * DAY)


def silent(day: int) -> HostResult:
    return host_result("web1", {PENDING: "unknown"}, NOW + day * DAY, reached=False)


def test_a_finding_ends_when_the_check_looks_and_finds_it_no_more_and_the_change_between_is_named() -> None:
    tracker = Tracker()
    tracker.add(run(0, [pending(0)]))
    tracker.add(run(1, [pending(1)], changes=[change("web1", "failed", "r1", NOW + DAY)]))
    tracker.add(run(2, [well(2)], changes=[change("web1", "done", "r2", NOW + 2 * DAY)]))
    [track] = tracker.tracks()
    assert (track.ended, track.ended_at, track.change_run) == ("gone", iso(NOW + 2 * DAY + 60), "r2")
    assert (track.first_seen, track.found_run, track.scheduled) == (iso(NOW), f"01K{0:023d}", True)


def test_a_change_before_it_and_one_of_another_chore_end_nothing() -> None:
    tracker = Tracker()
    tracker.add(run(0, [well(0)], changes=[change("web1", "done", "r0", NOW)]))
    tracker.add(run(1, [pending(1, first=1)]))
    tracker.add(run(2, [well(2)], changes=[change("web1", "done", "r2", NOW + 2 * DAY, chore="antivirus")]))
    [track] = tracker.tracks()
    assert (track.ended, track.change_run) == ("gone", "")


def test_a_silent_host_and_a_check_that_could_not_look_end_nothing() -> None:
    tracker = Tracker()
    tracker.add(run(0, [pending(0)]))
    tracker.add(run(1, [silent(1)]))
    blind = host_result("web1", {PENDING: "unknown"}, NOW + 2 * DAY)
    tracker.add(run(2, [blind]))
    open_tracks = [track for track in tracker.tracks() if not track.ended]
    assert {track.object for track in open_tracks} == {"security", ""}
    assert next(track for track in open_tracks if track.object).last_seen == iso(NOW + 60)


def test_a_host_that_left_and_a_finding_that_was_accepted_end_it() -> None:
    tracker = Tracker()
    tracker.add(run(0, [pending(0)]))
    tracker.add(run(1, [host_result("db1", {PENDING: "ok"}, NOW)], header={"partial": ["--limit"]}))
    assert not tracker.tracks()[0].ended
    tracker.add(run(2, [host_result("db1", {PENDING: "ok"}, NOW)]))
    assert tracker.tracks()[0].ended == "left"
    taken = Acceptance(reason="old", approver="Ann", expires="2027-01-01", underlying="act")
    tracker.add(run(3, [pending(3, first=3)]))
    tracker.add(run(4, [pending(4, first=3, state="accepted", accepted=taken)]))
    assert [track.ended for track in tracker.tracks()] == ["left", "accepted"]


def test_what_comes_back_is_another_finding_and_what_was_before_the_period_was_not_found_in_it() -> None:
    tracker = Tracker()
    tracker.baseline(run(0, [pending(0)]))
    tracker.add(run(1, [well(1)]))
    tracker.add(
        run(2, [pending(2, first=2)], header={"trigger": header("x").trigger.model_copy(update={"origin": "terminal"})})
    )
    before, after = tracker.tracks()
    assert (before.found_run, after.found_run, after.scheduled) == ("", f"01K{2:023d}", False)
    told = flow("patching", tracker.tracks(), iso(NOW + DAY))
    assert (told.before, told.new, told.scheduled, told.closed, told.open) == (1, 1, 0, 1, 1)


@pytest.mark.parametrize(("hosts", "days"), [(1, 3), (14, 6), (40, 5)])
def test_what_was_and_what_came_is_what_ended_and_what_is_open(hosts: int, days: int) -> None:
    last, period = period_maker.made(hosts, days)
    told = flow("patching", period.tracks, period.begin)
    assert told.before + told.new == told.closed + told.open == len(period.tracks)
    still = {
        finding.key
        for host in last.hosts
        if host.contact.reached
        for result in host.results
        for finding in result.findings
        if finding.state in ("crit", "act", "unknown", "watch")
    }
    assert still <= {track.key for track in period.tracks if not track.ended}
