# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the lines of snapshots that a dataset consists of, each of which has to go on. Pure.

The newest snapshot of a shared repository hides a host that died: so every host and every source is looked at alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.known import KnownDataset, below
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import Snapshot
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import duration_text

# Tools with many hosts and sets of paths in one repository. Elsewhere the driver gives one line.
SHARED = ("restic", "borg", "kopia")


@dataclass(frozen=True)
class Line:
    """Snapshots of one host and source, oldest first. ``name`` is empty where there is only one."""

    name: str
    snapshots: tuple[Snapshot, ...]

    @property
    def newest(self) -> Snapshot | None:
        """The newest snapshot, or None when there never was one."""
        return self.snapshots[-1] if self.snapshots else None

    def earlier(self) -> list[Snapshot]:
        """Snapshots before the newest that were made of the same paths, oldest first."""
        newest = self.newest
        return [entry for entry in self.snapshots[:-1] if newest and sorted(entry.paths) == sorted(newest.paths)]


def lines(known: KnownDataset) -> list[Line]:
    """Return the lines of a dataset; one without snapshots for every host or source that is not there at all."""
    snapshots = sorted(known.look.snapshots if known.look else [], key=lambda entry: (entry.time, entry.id))
    dataset = known.dataset
    if dataset.tool not in SHARED or not (snapshots or dataset.hosts):
        return [Line("", tuple(snapshots))]
    found = []
    for host in dataset.hosts or _hosts(snapshots):
        mine = [entry for entry in snapshots if not host or entry.host in (host, None)]
        found += _by_source(host, mine, dataset.sources) if dataset.sources else _by_paths(host, mine)
    unique = list({tuple(entry.id for entry in line.snapshots) or line.name: line for line in found}.values())
    return [Line("", unique[0].snapshots)] if len(unique) == 1 and unique[0].snapshots else unique


def data_time(known: KnownDataset) -> float | None:
    """When the content of the line that is furthest behind was true; None when one of them has no snapshot."""
    newest = [line.newest for line in lines(known)]
    return min(entry.time for entry in newest if entry) if newest and all(newest) else None


def age_text(seconds: float) -> str:
    """Return an age in hours as long as agreements are made in hours: ``26 hours``, then in days; never rounded up."""
    hours = int(abs(seconds) // 3600)
    return f"{hours} hours" if 2 <= hours < 72 else duration_text(seconds)


def _hosts(snapshots: Iterable[Snapshot]) -> list[str]:
    return sorted({entry.host or "" for entry in snapshots})


def _by_source(host: str, snapshots: Sequence[Snapshot], sources: Iterable[str]) -> list[Line]:
    """A line for every source. A snapshot that does not say what it is of belongs to all: the driver chose it."""
    return [
        Line(
            f"{host}:{source}" if host else source,
            tuple(entry for entry in snapshots if not entry.paths or any(below(source, path) for path in entry.paths)),
        )
        for source in sources
    ]


def _by_paths(host: str, snapshots: Sequence[Snapshot]) -> list[Line]:
    """A line for every set of paths, but for one that a newer line of the host holds as well: the job was extended."""
    groups: dict[tuple[str, ...], list[Snapshot]] = {}
    for entry in snapshots:
        groups.setdefault(tuple(sorted(entry.paths)), []).append(entry)
    if not groups:
        return [Line(host, ())]
    kept = []
    for paths, members in groups.items():
        replaced = any(
            newer is not members
            and newer[-1].time > members[-1].time
            and all(any(below(path, other) for other in others) for path in paths)
            for others, newer in groups.items()
        )
        if not replaced:
            name = " ".join(paths)
            kept.append(Line(f"{host}:{name}" if host and name else host or name, tuple(members)))
    return kept
