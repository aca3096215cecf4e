# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what the history index knows of one host, as checks ask for it.

Runs on the control node.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from ansible_collections.keepwell.fleet.plugins.plugin_utils import history_queries as queries
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.datasets import Dataset
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.known import (
    Coverage,
    KnownDataset,
    newest_first,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import Look, Proof
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import DAY
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import HostEvidence, epoch

SERIES_DAYS = 90
# Proofs that are read back; older ones only where they are the newest of their kind.
PROOF_DAYS = 400


class HostHistory:
    """History as checks see it (``checks._base.History``), and the first sight of findings."""

    def __init__(self, engine: Engine, store: Store, host: str, now: float) -> None:
        self._engine = engine
        self._store = store
        self._host = host
        self._now = now
        self._previous: HostEvidence | t.Literal[False] | None = False
        asked = {"host": host}
        with engine.connect() as connection:
            self._sightings = {
                (row.kind, row.name): row.first_seen for row in connection.execute(queries.SIGHTINGS_OF, asked)
            }
            self._findings: dict[str, float] = {
                row.key: row.first_seen for row in connection.execute(queries.FINDINGS_OF, asked)
            }
            self._series: dict[tuple[str, str], list[tuple[float, float]]] = {}
            for row in connection.execute(queries.SERIES_OF, {**asked, "earliest": now - SERIES_DAYS * DAY}):
                self._series.setdefault((row.metric, row.object), []).append((row.at, row.value))
            self._boots: list[tuple[str, float]] = [
                (row.boot_id, row.first_seen) for row in connection.execute(queries.BOOTS_OF, asked)
            ]
            self._latest: str | None = connection.execute(queries.LATEST_OF, asked).scalar()

    def finding_first_seen(self, key: str) -> float | None:
        """When an open finding was first seen, or None when it is new."""
        return self._findings.get(key)

    def first_seen(self, kind: str, name: str) -> float | None:
        return self._sightings.get((kind, name))

    def series(self, metric: str, name: str) -> list[tuple[float, float]]:
        return list(self._series.get((metric, name), []))

    def boots(self) -> list[tuple[str, float]]:
        return list(self._boots)

    def previous(self, probe: str) -> Mapping[str, t.Any] | None:
        evidence = self._previous_evidence()
        if evidence is None or evidence.observation is None:
            return None
        record = evidence.observation.get("probes", {}).get(probe)
        return record.get("data") if record and record.get("status") == "ok" else None

    def previous_at(self) -> float | None:
        evidence = self._previous_evidence()
        return epoch(evidence.judged_at) if evidence else None

    def _previous_evidence(self) -> HostEvidence | None:
        if self._previous is False:
            self._previous = self._store.read_host(self._latest, self._host) if self._latest else None
        return self._previous

    def backups(self, datasets: Iterable[Dataset]) -> dict[str, KnownDataset]:
        """What earlier runs saw and proved of the host's datasets, by id. Asks nothing when there are none."""
        wanted = list(datasets)
        if not wanted:
            return {}
        asked = {"host": self._host}
        recent = {**asked, "earliest": self._now - PROOF_DAYS * DAY}
        proofs: dict[str, list[Proof]] = {}
        with self._engine.connect() as connection:
            looks = {row.dataset: row for row in connection.execute(queries.LOOKS_OF, asked)}
            for row in connection.execute(queries.PROOFS_OF, recent):
                proofs.setdefault(row.dataset, []).append(Proof.model_validate_json(row.document))
            paths = {row.dataset: row.paths for row in connection.execute(queries.COVERED_OF, asked)}
            found = {}
            for dataset in wanted:
                shared = connection.execute(
                    queries.PROOFS_OF_REPOSITORY, {**recent, "repository": dataset.shared_key(self._host)}
                )
                look = looks.get(dataset.id)
                bare = KnownDataset(dataset)
                found[dataset.id] = KnownDataset(
                    dataset,
                    look=Look.model_validate_json(look.document) if look else None,
                    looked_at=look.at if look else None,
                    proofs=newest_first(
                        [*proofs.get(dataset.id, []), *(Proof.model_validate_json(row.document) for row in shared)]
                    ),
                    coverage=Coverage(
                        paths.get(dataset.id, 0), self._came_back(connection, dataset.id, bare.wanted_paths())
                    ),
                )
        return found

    def _came_back(self, connection: Connection, dataset: str, folders: Iterable[str]) -> dict[str, float]:
        """When something in each of these paths last came back."""
        found = {}
        for folder in folders:
            inside = folder.rstrip("/") + "/"
            place = {"folder": folder, "first": inside, "behind": inside[:-1] + chr(ord("/") + 1)}
            at = connection.execute(queries.COVERED_BELOW, {"host": self._host, "dataset": dataset, **place}).scalar()
            if at is not None:
                found[folder] = at
        return found

    def restored_digests(self, dataset: str, number: int) -> list[str]:
        """Digests of the paths that have come back, the newest first: a sample prefers others."""
        asked = {"host": self._host, "dataset": dataset, "number": number}
        with self._engine.connect() as connection:
            return list(connection.execute(queries.DIGESTS_OF, asked).scalars())
