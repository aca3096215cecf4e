# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Three weeks of nightly runs over one dataset: parts take turns, all is read in time, new files come back first."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

import pytest

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _sample
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import due, ledger, options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.datasets import Dataset
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.known import (
    KnownDataset,
    newest_first,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import Look, Proof

BEGIN = 1_795_399_200.0
DAY = 86400.0
WEEKS = 3
READ_DAYS = 12
SCHEDULE = {"integrity_days": 1, "read_all_days": READ_DAYS, "restore_days": 1, "full_days": 365, "sample_files": 20}
FILES = [(f"/srv/files/{number:03}", 1000 + number, BEGIN - number * DAY) for number in range(200)]
FAILING = {3, 4, 11}


@dataclass
class Nights:
    """A dataset, what was proven of it, and whether the night's runs take place."""

    failing: t.Container[int] = ()
    tool: str = "restic"
    proofs: list[Proof] = field(default_factory=list)
    came_back: set[str] = field(default_factory=set)
    again: list[int] = field(default_factory=list)

    def known(self, now: float) -> KnownDataset:
        dataset = {"id": "files", "protects": "files", "tool": self.tool, "repository": "/r", "schedule": SCHEDULE}
        look = {"status": "ok", "snapshots": [{"id": f"{now:.0f}", "time": now - 3600, "bytes": 200_000}]}
        return KnownDataset(Dataset.model_validate(dataset), Look.model_validate(look), now, newest_first(self.proofs))

    def run(self, night: int) -> None:
        """One nightly run, a few minutes earlier or later than the last."""
        now = BEGIN + night * DAY + (night * 7919 % 600)
        chosen = [entry.test for entry in due.choose([("web1", self.known(now))], options.read({}), now)]
        for test in chosen:
            outcome = "error" if night in self.failing else "proven"
            proof = {"id": f"{night}-{test.kind}", "kind": test.kind, "at": now + 60, "outcome": outcome}
            if test.kind == "sample" and outcome == "proven":
                proof["digests"] = self._restored(str(night))
            self.proofs.append(Proof.model_validate({**proof, "part": test.part, "parts": test.parts}))

    def _restored(self, seed: str) -> list[str]:
        sample = _sample.Sample(20, 1 << 30, seed, self.came_back)
        for entry in FILES:
            sample.take(*entry)
        digests = [_sample.digest(path) for path, _size, _mtime in sample.chosen()]
        self.again.append(len(self.came_back.intersection(digests)))
        self.came_back.update(digests)
        return digests


@pytest.mark.parametrize("tool", ["restic", "borg"])
@pytest.mark.parametrize("failing", [frozenset(), FAILING], ids=["every night", "three nights fail"])
def test_everything_is_read_within_the_agreed_days_at_any_time(failing: t.Collection[int], tool: str) -> None:
    nights, shares = Nights(failing, tool), []
    for night in range(WEEKS * 7):
        nights.run(night)
        now = BEGIN + (night + 1) * DAY
        shares.append(ledger.of(nights.known(now), now).read_percent)
    parts = due.parts_of(SCHEDULE["integrity_days"], READ_DAYS)
    assert parts == 9
    assert shares[READ_DAYS - 1 :] == [100] * (WEEKS * 7 - READ_DAYS + 1), shares
    assert shares == sorted(shares)
    # restic checks the structure with every part, Borg by itself; nobody has to read everything at once.
    kinds = [proof.kind for proof in nights.proofs]
    assert (kinds.count("structure"), kinds.count("data")) == (WEEKS * 7 if tool == "borg" else 0, 0)


def test_the_parts_take_turns() -> None:
    nights = Nights()
    for night in range(WEEKS * 7):
        nights.run(night)
    read = [proof.part for proof in nights.proofs if proof.kind == "subset"]
    assert read == [night % 9 + 1 for night in range(WEEKS * 7)]


def test_a_part_that_failed_is_read_next() -> None:
    nights = Nights({3})
    for night in range(6):
        nights.run(night)
    assert [(proof.part, proof.outcome) for proof in nights.proofs if proof.kind == "subset"][3:] == [
        (4, "error"),
        (4, "proven"),
        (5, "proven"),
    ]


def test_files_that_never_came_back_are_preferred() -> None:
    nights = Nights()
    for night in range(WEEKS * 7):
        nights.run(night)
    # Blindly drawn, ten nights bring back 65 % and three weeks 89 %.
    assert len(nights.again) == WEEKS * 7
    assert sum(nights.again[:8]) < 30, nights.again
    assert len(nights.came_back) >= 0.97 * len(FILES), len(nights.came_back)


def test_a_full_restore_is_done_once() -> None:
    nights = Nights()
    for night in range(WEEKS * 7):
        nights.run(night)
    assert [proof.kind for proof in nights.proofs].count("full") == 1
