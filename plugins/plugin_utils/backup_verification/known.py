# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: all that is known of one dataset: declaration, newest look, proofs, coverage. Pure.

The checks import this; so it imports nothing of the settings, and the declaration is only named as a type.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import (
    Look,
    Proof,
    Snapshot,
    Verification,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import epoch

if t.TYPE_CHECKING:
    from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.datasets import Dataset

# Restores of these are proofs of restore; a canary alone is one known file.
RESTORES = ("full", "database", "sample")
INTEGRITY = ("structure", "subset", "data")
_WINDOWS = re.compile(r"^([A-Za-z]:|\\\\)")
# Metric of history: free bytes where the repository is, by dataset.
FREE_SERIES = "backup_free"


@dataclass(frozen=True)
class Coverage:
    """What of a dataset has ever come back: how many paths, and of each expected path the last time."""

    paths: int = 0
    expected: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class KnownDataset:
    """A dataset of a host as the checks see it. ``proofs`` are newest first, each once."""

    dataset: Dataset
    look: Look | None = None
    looked_at: float | None = None
    proofs: tuple[Proof, ...] = ()
    coverage: Coverage = Coverage()

    @property
    def newest(self) -> Snapshot | None:
        """The newest snapshot that the last look saw."""
        return max(self.look.snapshots, key=lambda snapshot: snapshot.time, default=None) if self.look else None

    def wanted_paths(self) -> list[str]:
        """Paths of which the coverage is kept: what is expected, else where it comes from."""
        return list(self.dataset.expected_paths or self.dataset.sources)


def together(
    dataset: Dataset,
    earlier: KnownDataset | None = None,
    now: Verification | None = None,
) -> KnownDataset:
    """Return what history and the document of this run know together; what this run saw is newer."""
    known = earlier or KnownDataset(dataset)
    if now is None:
        return known
    look, looked_at = known.look, known.looked_at
    if now.looked_at is not None:
        look, looked_at = now.look, epoch(now.looked_at)
    return KnownDataset(
        dataset,
        look,
        looked_at,
        newest_first([*now.proofs, *known.proofs]),
        _covered(known, now.proofs),
    )


def newest_first(proofs: Iterable[Proof]) -> tuple[Proof, ...]:
    """Return proofs newest first, each once: one that several datasets of a repository share has one id."""
    unique = {(proof.id, proof.kind): proof for proof in proofs}
    return tuple(sorted(unique.values(), key=lambda proof: (-proof.at, proof.kind, proof.id)))


def _covered(known: KnownDataset, proofs: Sequence[Proof]) -> Coverage:
    """The coverage with what came back in this run; of its digests nobody knows yet which are new."""
    expected = dict(known.coverage.expected)
    paths = known.coverage.paths
    for proof in proofs:
        if not came_back(proof):
            continue
        paths = max(paths, len(proof.digests), proof.files or 0)
        for wanted in known.wanted_paths():
            if proof.kind == "full" or any(below(path, wanted) for path in proof.paths):
                expected[wanted] = max(proof.at, expected.get(wanted, 0.0))
    return Coverage(paths, expected)


def came_back(proof: Proof) -> bool:
    """True when a restore ended well, so that what it restored counts as having come back."""
    return proof.is_restore and proof.outcome == "proven"


def below(path: str, folder: str) -> bool:
    """True when a path is a folder or lies in it. Paths of Windows know no upper and lower case."""
    path, folder = _plain(path), _plain(folder)
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _plain(path: str) -> str:
    return path.replace("\\", "/").casefold() if _WINDOWS.match(path) else path
