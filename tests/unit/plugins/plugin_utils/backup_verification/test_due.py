# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is due now: everything is read in time even when runs fail, and a run does not take on more than it may."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import due, ledger, options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.datasets import Dataset
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.known import (
    KnownDataset,
    newest_first,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import Look, Proof

NOW = 1_795_399_200.0
DAY = 86400.0
GIB = 1 << 30


def proof(kind: str, days: float, **more: t.Any) -> Proof:
    return Proof.model_validate(
        {"id": f"{kind}-{days}-{more.get('part')}", "kind": kind, "at": NOW - days * DAY, "outcome": "proven", **more}
    )


def known(*proofs: Proof, look: dict[str, t.Any] | None = None, **more: t.Any) -> KnownDataset:
    declared = {"id": "files", "protects": "the files", "tool": "restic", "repository": "/r", **more}
    seen = {"status": "ok", "snapshots": [{"id": "newest", "time": NOW - 3600, "bytes": 10 * GIB}], **(look or {})}
    return KnownDataset(Dataset.model_validate(declared), Look.model_validate(seen), NOW, newest_first(proofs))


def all_done(days: float = 1.0) -> list[Proof]:
    return [proof("subset", days, part=1, parts=9), proof("sample", days), proof("full", days)]


def chosen(entry: KnownDataset, closed: str = "", **variables: t.Any) -> list[due.Planned]:
    named = {f"backup_verification_{name}": value for name, value in variables.items()}
    return due.choose([("web1", entry)], options.read(named), NOW, closed)


def words(planned: list[due.Planned]) -> list[tuple[str, bool, str]]:
    return [(entry.test.kind, entry.chosen, entry.test.reason) for entry in planned]


def test_nothing_is_due_within_the_intervals() -> None:
    assert chosen(known(*all_done())) == []
    coming = due.upcoming(known(*all_done()), NOW)
    assert [(entry.kind, int((entry.at - NOW) / DAY)) for entry in coming] == [
        ("subset", 5),
        ("sample", 28),
        ("full", 363),
    ], "a little early, so that a nightly run does not come a night late"


def test_what_was_never_done_is_due_the_quick_ones_first() -> None:
    entry = known(canary={"path": "/c"})
    assert [(test.kind, done) for test, done in ((one.test, one.chosen) for one in chosen(entry))] == [
        ("canary", True),
        ("sample", True),
        ("subset", True),
        ("full", True),
    ]
    [subset] = [one.test for one in chosen(entry) if one.test.kind == "subset"]
    assert (subset.part, subset.parts, subset.snapshot, subset.reason) == (1, 9, None, "part 1 of 9, never read")
    [full] = [one.test for one in chosen(entry) if one.test.kind == "full"]
    assert (full.snapshot, full.bytes, full.target) == ("newest", 10 * GIB, "/var/lib/keepwell/sandbox")


def test_a_test_that_did_not_end_well_is_tried_again() -> None:
    failed = proof("sample", 0.5, outcome="refused")
    assert words(chosen(known(*all_done(3), failed))) == [
        ("sample", True, "the last one (12 hours ago) ended with 'refused': tried again")
    ]
    assert chosen(known(*all_done(0.2), failed)) == [], "a later one ended well"


def test_everything_is_read_in_time_although_every_fourth_run_fails() -> None:
    proofs: list[Proof] = [proof("sample", 0), proof("full", 0)]
    start = NOW
    for week in range(52):
        now = start + week * 7 * DAY
        [test] = [entry for entry in due.upcoming(known(*proofs), now) if entry.kind == "subset"]
        assert test.at <= now
        outcome = "error" if week % 4 == 3 else "proven"
        done = {"part": test.part, "parts": test.parts, "outcome": outcome, "id": str(week), "at": now + 60}
        proofs.append(proof("subset", 0, **done))
        if week >= 13:
            assert ledger.of(known(*proofs), now + 120).read_percent == 100, week


def test_the_part_that_waits_longest_is_next_also_after_the_schedule_changed() -> None:
    read = [proof("subset", 20 - number, part=number, parts=9) for number in range(1, 10)]
    [test] = [entry for entry in due.upcoming(known(*read), NOW) if entry.kind == "subset"]
    assert (test.part, test.parts) == (1, 9)
    wider = known(*read, schedule={"integrity_days": 7, "read_all_days": 180})
    [test] = [entry for entry in due.upcoming(wider, NOW) if entry.kind == "subset"]
    assert test.parts == 19
    assert "part 1 of 19, last read 19 days ago" in test.reason


@pytest.mark.parametrize(
    ("integrity", "everything", "parts"), [(7, 90, 9), (1, 90, 67), (30, 90, 2), (90, 90, 1), (0.1, 90, 256)]
)
def test_a_quarter_of_the_tests_may_fail(integrity: float, everything: float, parts: int) -> None:
    assert due.parts_of(integrity, everything) == parts


def test_the_budget_takes_the_most_overdue() -> None:
    entry = known(proof("subset", 8, part=1, parts=9), proof("sample", 90), proof("full", 366))
    assert words(chosen(entry, budget={"tests": 1})) == [
        ("sample", True, "last done 90 days ago, every 30 days is agreed"),
        (
            "subset",
            False,
            "not now: this run does 1 tests, and others are later (backup_verification_budget) "
            "(part 2 of 9, never read; last done 8 days ago, every 7 days is agreed)",
        ),
        (
            "full",
            False,
            "not now: this run does 1 tests, and others are later (backup_verification_budget) "
            "(last done 366 days ago, every 365 days is agreed)",
        ),
    ]


def test_minutes_are_counted_by_how_long_it_took_before() -> None:
    reading = proof("subset", 8, part=1, parts=9, seconds=50 * 60.0)
    restoring = proof("sample", 40, seconds=60.0, total_seconds=20 * 60.0)
    told = {one.test.kind: (one.chosen, one.minutes) for one in chosen(known(reading, restoring, proof("full", 366)))}
    assert told == {"sample": (True, 20.0), "subset": (False, 50.0), "full": (True, 5.0)}


@pytest.mark.parametrize(
    ("look", "variables", "closed", "reason"),
    [
        ({"status": "unreached", "snapshots": []}, {}, "", None),
        ({"writer": "restic backup (pid 7)"}, {}, "", "restic backup (pid 7) writes to the repository"),
        ({}, {}, "No maintenance window is open.", "No maintenance window is open."),
        ({}, {"max_restore_bytes": GIB}, "", "it would restore 10.0 GiB; the limit is 1.0 GiB"),
        ({}, {"limits": {"runtime_minutes": 1}}, "", "it needs about 5 minutes; the limit is 1"),
    ],
)
def test_what_stands_against_a_test_is_told(
    look: dict[str, t.Any], variables: dict[str, t.Any], closed: str, reason: str | None
) -> None:
    entry = known(*all_done()[:2], look=look)
    planned = chosen(entry, closed, **variables)
    if reason is None:
        assert planned == [], "what nobody sees has no snapshot to test"
        return
    [full] = planned
    assert (full.test.kind, full.chosen) == ("full", False)
    assert full.test.reason.startswith(f"not now: {reason}")


def test_a_canary_needs_no_window_and_a_lock_only_hinders_checks() -> None:
    look = {"locks": [{"who": "root@web1", "exclusive": True}]}
    entry = known(proof("full", 1), look=look, canary={"path": "/c"})
    told = {one.test.kind: one.chosen for one in chosen(entry)}
    assert told == {"canary": True, "subset": False}
    assert {one.test.kind: one.chosen for one in chosen(entry, "closed")} == {"canary": True, "subset": False}


def test_what_somebody_asks_for_comes_first_and_needs_no_interval() -> None:
    entry = known(*all_done())
    assert words(chosen(entry, now=["files/full", "files/data", "mail/full"])) == [
        ("data", True, "asked for (backup_verification_now)"),
        ("full", True, "asked for (backup_verification_now)"),
    ]


def test_every_tool_has_its_tests() -> None:
    assert set(due.TESTS) == set(t.get_args(Dataset.model_fields["tool"].annotation))
    kinds = {name: [entry.kind for entry in due.upcoming(known(tool=name), NOW)] for name in due.TESTS}
    assert kinds["borg"] == ["structure", "sample", "subset", "full"]
    assert kinds["restic"] == ["sample", "subset", "full"]
    assert kinds["archive"] == ["structure", "sample", "data", "full"]
    assert kinds["pg_dump"] == ["structure", "database"]
    assert kinds["sftp"] == []
