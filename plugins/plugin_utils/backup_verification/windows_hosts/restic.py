# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

r"""Private to keepwell.fleet: restic.exe on a Windows host, from what it printed. Pure.

The host runs the reading commands and sends back what restic said; it is understood as everywhere. restic tells
``D:\data`` as a snapshot's path, and as ``/D/data`` in lists and when it restores.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import (
    _driver,
    _repository,
    _restic_text,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Output
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.known import below
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.windows_hosts import paths

if t.TYPE_CHECKING:
    from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.datasets import Dataset

Facts = Mapping[str, t.Any]


def output(said: Facts) -> Output:
    """Return what a command on the host did as commands are told of elsewhere."""
    return Output(str(said["status"]), said["rc"], str(said["out"] or ""), str(said["err"] or ""))


def look(dataset: Dataset, facts: Facts) -> dict[str, t.Any]:
    """Return the look of a dataset."""
    listed = output(facts["snapshots"])
    place = dataset.repository
    local = paths.is_windows(place)
    repository: dict[str, t.Any] = {
        "id": None,
        "location": "mount" if place.startswith("\\\\") else "local" if local else _repository.location(place)[0],
        "path": place if local else None,
        "encrypted": True,
        "keyfile": False,
        "append_only": dataset.options.get("append_only"),
        "object_lock": dataset.options.get("object_lock"),
        "free_bytes": facts["free_bytes"],
        "same_device": _same(dataset, place) if local else None,
    }
    if listed.rc != 0 or listed.status != "ok":
        status, words = _restic_text.trouble(listed)
        return dict(_driver.look(status, f"restic: {words.rstrip('.')}.", repository=repository))
    everything = _restic_text.snapshots(listed.out)
    mine = sorted((entry for entry in everything if _belongs(entry, dataset)), key=lambda entry: entry["time"] or 0)
    found = _driver.look(
        "ok",
        repository=repository,
        snapshots=mine[-_driver.SNAPSHOT_CAP :],
        snapshots_cut=len(mine) > _driver.SNAPSHOT_CAP,
        groups=_repository.groups(everything),
        missing=_missing(dataset, facts) if mine else [],
        unwanted=None if dataset.unwanted_paths else [],
    )
    return dict(found)


def _same(dataset: Dataset, place: str) -> bool | None:
    volumes = {paths.volume(source) for source in dataset.sources}
    return paths.volume(place) in volumes if volumes else None


def _belongs(entry: Facts, dataset: Dataset) -> bool:
    if dataset.hosts and entry["host"] not in dataset.hosts:
        return False
    if not set(dataset.tags) <= set(entry["tags"]):
        return False
    return all(any(below(source, path) for path in entry["paths"]) for source in dataset.sources)


def _missing(dataset: Dataset, facts: Facts) -> list[str] | None:
    """Return the expected paths of which the newest snapshot has nothing; None when it could not be listed."""
    if not dataset.expected_paths:
        return []
    listed = output(facts["content"]) if facts["content"] else None
    if listed is None or listed.status != "ok" or listed.rc != 0:
        return None
    nodes = (_restic_text.node(line.encode("utf-8")) for line in listed.out.splitlines())
    seen = {str(node["path"]).casefold() for node in nodes if node is not None}
    return [path for path in dataset.expected_paths if inside(path).casefold() not in seen]


def inside(path: str) -> str:
    r"""Return the path of a file in a snapshot: ``D:\data\a.txt`` is ``/D/data/a.txt`` there."""
    if not paths.is_windows(path) or path.startswith("\\\\"):
        return path
    return f"/{path[0].upper()}{path[2:]}".replace("\\", "/")


def includes(wanted: Sequence[str]) -> list[dict[str, str]]:
    """Return what restic is told to restore: each file with the pattern that names nothing else."""
    return [{"path": path, "inside": inside(path), "include": _restic_text.pattern(inside(path))} for path in wanted]
