# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what the proofs of a dataset come to: what was read, what came back, how fast. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.known import (
    INTEGRITY,
    RESTORES,
    KnownDataset,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import Proof

DAY = 86400.0
# restic puts a pack into part n of t by the first byte of its name: byte % t == n - 1.
BY_BYTES = "restic"
# Loading a dump reads all of it.
_WHOLE = ("data", "database")
_READING = ("subset", *_WHOLE)
# Restores of everything.
_TELLING = ("full", "database")
# Reading a part of a repository of these reads data alone; with others it checks the structure as well.
_DATA_ALONE = ("borg",)
PARTS_LIMIT = 256
_BYTES = range(PARTS_LIMIT)
# Restores that tell how fast it goes, the most telling first.
_MEASURED = ("full", "database", "sample")
_EARLIER = 5


@dataclass(frozen=True)
class Recovery:
    """How long bringing back everything would take by what was measured.

    ``seconds`` is ``fixed + size / rate``. ``trend`` is how much faster (above 0) or slower than the median of earlier
    restores of this kind the rate was; None without earlier ones.
    """

    seconds: float
    rate: float
    fixed: float
    size: int
    kind: str
    at: float
    trend: float | None = None


@dataclass(frozen=True)
class Ledger:
    """What the proofs of a dataset come to at a moment."""

    read_percent: int
    read_days: float
    tested_since: float | None
    integrity: Proof | None
    restore: Proof | None
    last: Mapping[str, Proof]
    good: Mapping[str, Proof]
    recovery: Recovery | None
    never_restored: tuple[str, ...]
    # What found the backup itself wrong, and what nothing that tells as much has disproved since.
    damage: Proof | None = None
    wrong: Proof | None = None

    def attempt(self, kinds: Iterable[str]) -> Proof | None:
        """The newest test of these kinds, however it ended."""
        return max((self.last[kind] for kind in kinds if kind in self.last), key=lambda proof: proof.at, default=None)


def of(known: KnownDataset, now: float) -> Ledger:
    """Return the ledger of a dataset. What lies in the future (a clock that was wrong) is left out."""
    proofs = [proof for proof in known.proofs if proof.at <= now + 3600.0]
    good = _newest(proof for proof in proofs if proof.outcome == "proven")
    days = known.dataset.schedule.read_all_days
    return Ledger(
        read_percent=math.floor(
            100 * read_share(proofs, now - days * DAY, now, by_bytes=known.dataset.tool == BY_BYTES) + 1e-9
        ),
        read_days=days,
        tested_since=min((proof.at for proof in proofs), default=None),
        integrity=_first(good, INTEGRITY),
        restore=max(
            (proof for proof in proofs if proof.kind in RESTORES and proof.outcome == "proven" and compared(proof)),
            key=lambda proof: proof.at,
            default=None,
        ),
        last=_newest(proofs),
        good=good,
        recovery=_recovery(known, proofs),
        never_restored=tuple(
            path for path in known.wanted_paths() if path not in known.coverage.expected and "full" not in good
        ),
        damage=next((proof for proof in proofs if _is_open_damage(known, proof, proofs, now)), None),
        wrong=next((proof for proof in proofs if _is_open_failure(known, proof, proofs, now)), None),
    )


def checks_structure(tool: str, kind: str) -> bool:
    """Return True when a test of this kind says of a repository of that tool whether its structure is whole."""
    return kind in INTEGRITY and (kind != "subset" or tool not in _DATA_ALONE)


def _is_open_damage(known: KnownDataset, proof: Proof, proofs: Sequence[Proof], now: float) -> bool:
    """True for a check that found damage and that no later one has read over well."""
    if proof.kind not in INTEGRITY or proof.outcome != "damaged":
        return False
    later = [entry for entry in proofs if entry.at > proof.at and entry.outcome == "proven"]
    if proof.kind == "structure":
        return not any(checks_structure(known.dataset.tool, entry.kind) for entry in later)
    if any((entry.kind, entry.part, entry.parts) == (proof.kind, proof.part, proof.parts) for entry in later):
        return False
    return read_share(later, proof.at, now, by_bytes=known.dataset.tool == BY_BYTES) < 1.0


def _is_open_failure(known: KnownDataset, proof: Proof, proofs: Sequence[Proof], now: float) -> bool:
    """True for a restore that brought back damage, or something else than was saved, and that none has outdone since.

    The next sample draws other files: that they are right says nothing of those that were wrong.
    """
    damaged = proof.outcome == "damaged"
    if proof.kind not in RESTORES or not (
        damaged or (proof.outcome == "failed" and (proof.mismatches or proof.missing))
    ):
        return False
    later = [entry for entry in proofs if entry.at > proof.at and entry.outcome == "proven"]
    # Of the same snapshot the same files are drawn.
    same = (proof.kind, proof.snapshot)
    if any(entry.kind in _TELLING or (proof.snapshot and (entry.kind, entry.snapshot) == same) for entry in later):
        return False
    return not damaged or read_share(later, proof.at, now, by_bytes=known.dataset.tool == BY_BYTES) < 1.0


def _newest(proofs: Iterable[Proof]) -> dict[str, Proof]:
    found: dict[str, Proof] = {}
    for proof in proofs:
        if proof.kind not in found or proof.at > found[proof.kind].at:
            found[proof.kind] = proof
    return found


def _first(good: Mapping[str, Proof], kinds: Sequence[str]) -> Proof | None:
    return max((good[kind] for kind in kinds if kind in good), key=lambda proof: proof.at, default=None)


def compared(proof: Proof) -> bool:
    """True when something that came back was held against what it should be: a checksum, a canary, a query."""
    return (
        proof.identical > 0
        or any(query.ok for query in proof.queries)
        or (proof.canary is not None and proof.canary.outcome == "proven")
    )


def read_share(proofs: Sequence[Proof], since: float, until: float, *, by_bytes: bool) -> float:
    """Return which share of the data was read well between two moments, 0.0 to 1.0.

    Parts of one division (n of t) never overlap. Where t changed between, parts are put together by how restic divides
    (``by_bytes``): a division by 9 and one by 13 share what they share. Of another tool only the better division
    counts, so that nothing is counted twice.
    """
    read = [
        proof
        for proof in proofs
        if since <= proof.at <= until + 3600.0 and proof.outcome == "proven" and proof.kind in _READING
    ]
    if any(proof.kind in _WHOLE for proof in read):
        return 1.0
    divisions: dict[int, set[int]] = {}
    for proof in read:
        if proof.part and proof.parts and 1 <= proof.part <= proof.parts:
            divisions.setdefault(proof.parts, set()).add(proof.part)
    if len(divisions) < 2 or not by_bytes:
        return max((len(seen) / parts for parts, seen in divisions.items()), default=0.0)
    covered = {
        byte for parts, seen in divisions.items() if parts <= PARTS_LIMIT for byte in _BYTES if byte % parts + 1 in seen
    }
    return len(covered) / PARTS_LIMIT


def read_times(proofs: Sequence[Proof], parts: int, *, by_bytes: bool) -> dict[int, float]:
    """Return part (of ``parts``) -> when it was last read as a whole, 0.0 for never.

    With ``by_bytes`` what was read in another division counts, too.
    """
    last = dict.fromkeys(_BYTES, 0.0)
    whole = dict.fromkeys(range(1, parts + 1), 0.0)
    for proof in proofs:
        if proof.outcome != "proven" or proof.kind not in _READING:
            continue
        if proof.kind in _WHOLE:
            whole = {part: max(at, proof.at) for part, at in whole.items()}
            last = {byte: max(at, proof.at) for byte, at in last.items()}
        elif proof.part and proof.parts:
            if proof.parts == parts and proof.part in whole:
                whole[proof.part] = max(whole[proof.part], proof.at)
            if not by_bytes:
                continue
            for byte in range(proof.part - 1, PARTS_LIMIT, proof.parts):
                last[byte] = max(last[byte], proof.at)
    for part in whole:
        members = [last[byte] for byte in range(part - 1, PARTS_LIMIT, parts)]
        whole[part] = max(whole[part], min(members, default=0.0))
    return whole


def _recovery(known: KnownDataset, proofs: Sequence[Proof]) -> Recovery | None:
    """The estimate for a full restore; a measured one of everything beats samples, however many there are."""
    for kind in _MEASURED:
        rates = [
            (proof, proof.bytes / proof.seconds)
            for proof in proofs
            if proof.kind == kind and proof.outcome == "proven" and proof.bytes and proof.seconds
        ]
        if not rates:
            continue
        newest, rate = max(rates, key=lambda entry: entry[0].at)
        snapshot = known.newest
        size = (snapshot.bytes if snapshot else None) or newest.dataset_bytes or newest.bytes or 0
        fixed = max(0.0, (newest.total_seconds or newest.seconds or 0.0) - (newest.seconds or 0.0))
        earlier = sorted((entry for entry in rates if entry[0] is not newest), key=lambda entry: -entry[0].at)
        middle = statistics.median(value for _proof, value in earlier[:_EARLIER]) if earlier else None
        trend = rate / middle - 1 if middle else None
        return Recovery(fixed + size / rate, rate, fixed, size, kind, newest.at, trend)
    return None
