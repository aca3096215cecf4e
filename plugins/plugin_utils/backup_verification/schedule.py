# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: who verifies what, and which tests may go on at the same time. Pure.

A repository is read by one host at a time, and for one dataset at a time: batch after batch, each repository at most
once in each. A folder is another repository on every host. Runs on the control node.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from pydantic import Field

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.options import Assigned
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Model

FILE = "backup_verification/schedule.json"


class Place(Model):
    """A dataset of a host."""

    host: str
    dataset: str

    @property
    def name(self) -> str:
        """How it is called in batches and texts."""
        return f"{self.host}/{self.dataset}"


class Batch(Model):
    """What goes on at the same time."""

    hosts: list[str] = Field(description="verifying hosts")
    datasets: list[str] = Field(description="<protected host>/<dataset>")


class Schedule(Model):
    """backup_verification/schedule.json: who verifies what. Holds no declaration, so no secret."""

    verifiers: dict[str, list[Place]] = Field({}, description="verifying host -> its datasets")
    batches: list[Batch] = []
    without_verifier: dict[str, str] = Field({}, description="dataset -> its verifier, which is no part of this run")


def schedule(assigned: Mapping[str, Sequence[Assigned]], here: Collection[str]) -> Schedule:
    """Return who verifies what among the hosts of a run; datasets of other hosts are not asked for."""
    verifiers: dict[str, list[Place]] = {}
    absent: dict[str, str] = {}
    turns: Counter[str] = Counter()
    batches: dict[int, tuple[set[str], list[str]]] = {}
    for verifier, entries in sorted(assigned.items()):
        for host, dataset in entries:
            place = Place(host=host, dataset=dataset.id)
            if host not in here:
                continue
            if verifier not in here:
                absent[place.name] = verifier
                continue
            verifiers.setdefault(verifier, []).append(place)
            repository = dataset.shared_key(host)
            turn = turns[repository]
            turns[repository] += 1
            hosts, datasets = batches.setdefault(turn, (set(), []))
            hosts.add(verifier)
            datasets.append(place.name)
    return Schedule(
        verifiers=verifiers,
        batches=[
            Batch(hosts=sorted(hosts), datasets=sorted(datasets))
            for _turn, (hosts, datasets) in sorted(batches.items())
        ],
        without_verifier=absent,
    )
