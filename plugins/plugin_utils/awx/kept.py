# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: how AWX was found by the last look at it, for the check of later runs.

A run asks no AWX: it reads what playbooks/awx.yml kept in the client's folder of the state directory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from ansible_collections.keepwell.fleet.plugins.plugin_utils.awx.model import Awx
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import canonical, dump, load, write_atomic
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import SCHEMA_VERSION, Model, Timestamp
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.drift import Difference, InAwx, Kind
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.model import Schedule

_KINDS: dict[str, tuple[Kind, str]] = {
    "made": ("missing", "is not in AWX"),
    "changed": ("changed", "is otherwise in AWX"),
    "removed": ("left_over", "is in AWX and not written any more"),
}


class Kept(Model):
    """``<client>/awx.json``: how AWX was found or left, and from what."""

    schema_version: str = SCHEMA_VERSION
    at: Timestamp
    written: str
    objects: int = 0
    differences: list[Difference] = []


def digest(awx: Awx | None, schedule: Schedule, zone: str) -> str:
    """Return a hash of what is written: another one means that AWX has to be told."""
    entries = {name: entry.model_dump(mode="json") for name, entry in schedule.items()}
    kept = awx.model_dump(mode="json") if awx else None
    return hashlib.sha256(canonical({"awx": kept, "entries": entries, "zone": zone})).hexdigest()


def path(client_folder: Path) -> Path:
    """Return where it is kept."""
    return client_folder / "awx.json"


def keep(client_folder: Path, at: str, written: str, objects: int, found: Mapping[str, Sequence[str]]) -> None:
    """Keep what a look found: objects by what is to be done (made, changed, removed). May raise OSError."""
    told = [
        Difference(kind=_KINDS[what][0], object=title, text=f"{title} {_KINDS[what][1]}")
        for what, titles in found.items()
        for title in titles
    ]
    write_atomic(path(client_folder), dump(Kept(at=at, written=written, objects=objects, differences=told)))


def standing(client_folder: Path, written: str) -> InAwx | None:
    """Return how AWX stands by the last look; None where nobody looked. May raise EvidenceError."""
    place = path(client_folder)
    if not place.exists():
        return None
    kept = load(Kept, place)
    differences = list(kept.differences)
    if kept.written != written:
        text = "keepwell_awx or keepwell_schedule was changed since AWX was compared with it"
        differences.insert(0, Difference(kind="not_installed", object="", text=text))
    return InAwx(at=kept.at, objects=kept.objects, differences=differences)
