# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What proofs come to: nothing is counted twice, and nothing is rounded up."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import ledger
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.datasets import Dataset
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.known import (
    Coverage,
    KnownDataset,
    newest_first,
    together,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import (
    Look,
    Proof,
    Snapshot,
    Verification,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso

NOW = 1_795_399_200.0
DAY = 86400.0


def proof(kind: str, days: float, **more: t.Any) -> Proof:
    more = {"id": f"{kind}-{days}-{more.get('part')}-{more.get('parts')}", "outcome": "proven", **more}
    return Proof(kind=t.cast(t.Any, kind), at=NOW - days * DAY, **more)


def part(number: int, parts: int, days: float, **more: t.Any) -> Proof:
    return proof("subset", days, part=number, parts=parts, **more)


def known(*proofs: Proof, size: int | None = 1000, **more: t.Any) -> KnownDataset:
    declared = Dataset(id="files", protects="the files", tool=more.pop("tool", "restic"), repository="/r", **more)
    look = Look(status="ok", snapshots=[Snapshot(id="a", time=NOW - DAY, bytes=size)])
    return KnownDataset(declared, look, NOW, newest_first(proofs))


def read(*proofs: Proof, **more: t.Any) -> int:
    return ledger.of(known(*proofs, **more), NOW).read_percent


def test_parts_of_one_division_add_up_exactly() -> None:
    assert read(*(part(number, 9, number) for number in range(1, 10))) == 100
    assert read(*(part(number, 9, number) for number in range(1, 9))) == 88, "never rounded up"
    assert read(part(1, 9, 1), part(1, 9, 2), part(1, 9, 3)) == 11
    assert read(part(1, 9, 91)) == 0, "too long ago"
    assert read(part(1, 9, 1, outcome="damaged")) == 0
    assert read(proof("data", 80)) == 100
    assert read(proof("database", 5), tool="pg_dump") == 100
    assert read(proof("structure", 1), proof("full", 1)) == 0, "neither reads the repository"


@pytest.mark.parametrize(("tool", "open_still"), [("restic", False), ("borg", True)])
def test_damage_of_the_structure_is_over_when_the_structure_was_read_well(tool: str, open_still: bool) -> None:
    """Borg's parts are segments: of archives and their lists they say nothing."""
    damaged = proof("structure", 3, outcome="damaged")
    assert (ledger.of(known(damaged, part(1, 9, 1), tool=tool), NOW).damage is not None) is open_still
    assert ledger.of(known(damaged, proof("structure", 1), tool=tool), NOW).damage is None
    assert ledger.of(known(damaged, proof("data", 1), tool=tool), NOW).damage is None


def test_a_changed_division_counts_what_the_parts_share_once() -> None:
    assert read(part(1, 2, 1), part(1, 4, 2), part(3, 4, 2)) == 50
    assert read(part(1, 2, 1), part(2, 4, 2)) == 75
    assert read(part(1, 2, 1), part(2, 4, 2), tool="kopia") == 50, "how another tool divides is not known"


def test_the_part_that_was_read_longest_ago_is_known_across_divisions() -> None:
    times = ledger.read_times([part(1, 2, 5), part(2, 4, 1)], 4, by_bytes=True)
    assert {number: round((NOW - at) / DAY) if at else None for number, at in times.items()} == {
        1: 5,
        2: 1,
        3: 5,
        4: None,
    }
    assert ledger.read_times([part(1, 2, 5)], 4, by_bytes=False) == dict.fromkeys(range(1, 5), 0.0)
    assert set(ledger.read_times([proof("data", 3), part(2, 4, 1)], 4, by_bytes=False).values()) == {
        NOW - 3 * DAY,
        NOW - DAY,
    }


def test_a_full_restore_beats_samples_for_the_estimate() -> None:
    sample = proof("sample", 1, bytes=100, seconds=1.0)
    full = proof("full", 200, bytes=500, seconds=50.0, total_seconds=80.0)
    found = ledger.of(known(sample, full), NOW).recovery
    assert found is not None
    assert (found.kind, found.rate, found.fixed, found.seconds) == ("full", 10.0, 30.0, 130.0)
    alone = ledger.of(known(sample), NOW).recovery
    assert alone is not None
    assert (alone.kind, alone.seconds, alone.trend) == ("sample", 10.0, None)
    assert ledger.of(known(proof("sample", 1, bytes=100)), NOW).recovery is None, "nothing was measured"


def test_the_trend_is_against_the_median_of_earlier_ones() -> None:
    rates = [proof("sample", days, bytes=100, seconds=seconds) for days, seconds in ((1, 2.0), (30, 1.0), (60, 1.0))]
    found = ledger.of(known(*rates), NOW).recovery
    assert found is not None
    assert found.trend == pytest.approx(-0.5)


def test_only_what_was_compared_is_a_proven_restore() -> None:
    assert ledger.of(known(proof("sample", 1, unreferenced=5)), NOW).restore is None
    assert ledger.of(known(proof("canary", 1, canary={"path": "/c", "outcome": "proven"})), NOW).restore is None
    found = ledger.of(known(proof("sample", 1, outcome="failed", identical=3), proof("sample", 9, identical=3)), NOW)
    assert found.restore is not None
    assert found.restore.at == NOW - 9 * DAY
    assert found.last["sample"].outcome == "failed"


def test_what_a_wrong_clock_dated_into_the_future_is_left_out() -> None:
    assert ledger.of(known(proof("sample", -2, identical=3)), NOW).restore is None


def test_a_path_has_come_back_when_something_below_it_has() -> None:
    declared = Dataset(
        id="files", protects="x", tool="restic", repository="/r", expected_paths=["/srv/a", "/srv/b", "/srv/ab"]
    )
    made = proof("sample", 0, identical=1, paths=["/srv/a/x"], digests=["0" * 8], files=1)
    document = Verification(
        run_id="01K0000000000000000000000A",
        client="acme",
        host="web1",
        dataset="files",
        declared=declared.public(),
        repository_key=declared.repository_key,
        verifier="web1",
        looked_at=iso(NOW),
        look=Look(status="ok"),
        proofs=[made],
    )
    earlier = KnownDataset(declared, proofs=(made,), coverage=Coverage(7, {"/srv/b": NOW - DAY}))
    found = together(declared, earlier, document)
    assert (len(found.proofs), found.coverage.paths, found.looked_at) == (1, 7, NOW)
    assert ledger.of(found, NOW).never_restored == ("/srv/ab",)
    full = KnownDataset(declared, proofs=(proof("full", 1),))
    assert ledger.of(full, NOW).never_restored == ()
