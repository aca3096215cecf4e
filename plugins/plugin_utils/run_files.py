# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the files of a client's runs, written whole and read back checked.

Layout below the state directory (design, contracts)::

    <client>/runs/<run_id>/{run.json, hosts/<host>.json, before/<host>.json, plans/<host>.<chore>.json,
                            changes/<host>.<chore>.json, backups/<host>.<dataset>.json,
                            schedule.json, manifest.json, manifest.json.sig (signature), manifest.json.tsq, .tsr (time
                            stamp)}
    <client>/lease, <client>/holds      who may change hosts now (see lease, hold_files)

Runs on the control node.
"""

from __future__ import annotations

import contextlib
import fcntl
import typing as t
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import Verification
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import (
    EvidenceError,
    ModelT,
    dump,
    dump_redacted,
    host_file_name,
    load,
    write_atomic,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import HostEvidence, PlanDocument
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Manifest, Run
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.drift import Standing

# Workers that write into a run hold a lock on it; gone when the run is sealed.
OBSERVERS: t.Final = ".observers"

PlanT = t.TypeVar("PlanT", bound=PlanDocument)


class RunFiles:
    """Documents of one client's runs. A sealed run takes no more of them."""

    def __init__(self, state_dir: str | Path, client_id: str) -> None:
        self.client_id = client_id
        self.root = Path(state_dir) / client_id
        self.runs = self.root / "runs"
        self.history = self.root / "history.sqlite3"

    def run_dir(self, run_id: str) -> Path:
        """Folder of a run."""
        return self.runs / run_id

    def host_path(self, run_id: str, host: str) -> Path:
        """Evidence file of a host in a run."""
        return self.run_dir(run_id) / "hosts" / f"{host_file_name(host)}.json"

    def run_ids(self) -> list[str]:
        """All runs, oldest first."""
        if not self.runs.is_dir():
            return []
        return sorted(entry.name for entry in self.runs.iterdir() if entry.is_dir() and not entry.name.startswith("."))

    @contextlib.contextmanager
    def observing(self, run_id: str) -> Iterator[None]:
        """Hold the run open while a worker observes a host: a run with a worker in it is not sealed.

        Workers live on when ansible-playbook is killed; without this, such a worker could add a file to a run that
        the next run has already sealed as interrupted.
        """
        try:
            # Only read: a sealed run has no such file any more, and must get no new one.
            lock = open(self.run_dir(run_id) / OBSERVERS, "rb")  # noqa: SIM115
        except FileNotFoundError as exc:
            raise EvidenceError(f"Run {run_id} is sealed; it was taken for interrupted.") from exc
        with lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield

    def write_host(self, evidence: HostEvidence) -> Path:
        """Write a host's evidence. Raises EvidenceError when the run is sealed already."""
        path = self.host_path(evidence.run_id, evidence.result.host)
        if self.is_sealed(evidence.run_id):
            raise EvidenceError(
                f"Run {evidence.run_id} is sealed; the late answer of {evidence.result.host} is dropped."
            )
        try:
            write_atomic(path, dump_redacted(evidence))
        except OSError as exc:
            raise EvidenceError(f"{path} cannot be written: {exc.strerror}.") from exc
        return path

    def keep_before(self, run_id: str, host: str) -> None:
        """Keep what the run saw of a host last, in before/, so that the next look can take its place in hosts/.

        A look that saw nothing is not kept: there is nothing to compare with in it.
        """
        seen = self.read_host(run_id, host)
        if seen is not None and seen.observation is not None:
            last = self.host_path(run_id, host)
            self.write_document(run_id, f"before/{last.name}", last.read_bytes())

    def read_before(self, run_id: str, host: str) -> HostEvidence | None:
        """Return what a run saw of a host before its last look, where it looked twice."""
        return self._read(HostEvidence, run_id, f"before/{host_file_name(host)}.json")

    def write_change(self, record: ChangeRecord) -> Path:
        """Write how far a host's change is. Raises EvidenceError when the run is sealed already."""
        name = f"changes/{host_file_name(record.host)}.{record.chore}.json"
        return self.write_document(record.run_id, name, dump_redacted(record))

    def read_change(self, run_id: str, host: str, chore: str) -> ChangeRecord | None:
        """Return the change of a host by a chore in a run, or None when there is none."""
        return self._read(ChangeRecord, run_id, f"changes/{host_file_name(host)}.{chore}.json")

    def read_changes(self, run_id: str, chore: str = "*") -> list[ChangeRecord]:
        """Return all changes of a run, or those of one chore, in the order of their files."""
        return list(self._read_all(ChangeRecord, run_id, "changes", f"*.{chore}.json"))

    def write_plan(self, plan: PlanDocument) -> Path:
        """Write what a chore would do on a host. Raises EvidenceError when the run is sealed already.

        As it is: what acts reads it again, and a package may be named like a secret.
        """
        return self.write_document(plan.run_id, f"plans/{host_file_name(plan.host)}.{plan.CHORE}.json", dump(plan))

    def read_plan(self, model: type[PlanT], run_id: str, host: str) -> PlanT | None:
        """Return a chore's plan of a host in a run, or None when there is none."""
        return self._read(model, run_id, f"plans/{host_file_name(host)}.{model.CHORE}.json")

    def read_plans(self, model: type[PlanT], run_id: str) -> Iterator[PlanT]:
        """Yield a chore's plans of a run, one in memory at a time, in the order of their files."""
        return self._read_all(model, run_id, "plans", f"*.{model.CHORE}.json")

    def write_verification(self, document: Verification) -> Path:
        """Write what the run saw and proved of a dataset. Raises EvidenceError when the run is sealed already."""
        name = f"backups/{host_file_name(document.host)}.{document.dataset}.json"
        return self.write_document(document.run_id, name, dump_redacted(document))

    def read_verification(self, run_id: str, host: str, dataset: str) -> Verification | None:
        """Return what a run saw and proved of a host's dataset, or None when it did not look."""
        return self._read(Verification, run_id, f"backups/{host_file_name(host)}.{dataset}.json")

    def read_verifications(self, run_id: str) -> Iterator[Verification]:
        """Yield what a run saw and proved of all datasets, one in memory at a time, in the order of their files."""
        return self._read_all(Verification, run_id, "backups")

    def write_standing(self, run_id: str, standing: Standing) -> Path:
        """Write how the client's schedule stood on the control node when the run began."""
        return self.write_document(run_id, "schedule.json", dump(standing))

    def read_standing(self, run_id: str) -> Standing | None:
        """Return how the schedule stood, or None where this control node has none."""
        return self._read(Standing, run_id, "schedule.json")

    def has_proofs(self, run_id: str, host: str) -> bool:
        """True when a test of any backup of a host came to its end in this run."""
        mine = self._read_all(Verification, run_id, "backups", f"{host_file_name(host)}.*.json")
        return any(document.proofs for document in mine if document.host == host)

    def write_document(self, run_id: str, name: str, content: bytes) -> Path:
        """Put a file into a run's folder; ``name`` is its path there. Raises EvidenceError when the run is sealed."""
        path = self.run_dir(run_id) / name
        with self.observing(run_id):
            try:
                write_atomic(path, content)
            except OSError as exc:
                raise EvidenceError(f"{path} cannot be written: {exc.strerror}.") from exc
        return path

    def read_document(self, run_id: str, name: str) -> bytes | None:
        """Return a file of a run's folder, or None when there is none."""
        path = self.run_dir(run_id) / name
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise EvidenceError(f"{path} cannot be read: {exc.strerror}.") from exc

    def _read(self, model: type[ModelT], run_id: str, name: str) -> ModelT | None:
        path = self.run_dir(run_id) / name
        return load(model, path) if path.exists() else None

    def _read_all(self, model: type[ModelT], run_id: str, folder: str, pattern: str = "*.json") -> Iterator[ModelT]:
        for path in sorted((self.run_dir(run_id) / folder).glob(pattern)):
            yield load(model, path)

    def read_run(self, run_id: str) -> Run:
        """Return run.json of a run."""
        return load(Run, self.run_dir(run_id) / "run.json")

    def read_host(self, run_id: str, host: str) -> HostEvidence | None:
        """Return a host's evidence in a run, or None when there is none (any more)."""
        return self._read(HostEvidence, run_id, f"hosts/{host_file_name(host)}.json")

    def read_hosts(self, run_id: str) -> Iterator[HostEvidence]:
        """Yield the evidence of all hosts of a run, one in memory at a time, in the order of their files."""
        return self._read_all(HostEvidence, run_id, "hosts")

    def read_manifest(self, run_id: str) -> Manifest | None:
        """Return the manifest of a run, or None when it is not sealed."""
        return self._read(Manifest, run_id, "manifest.json")

    def sealed(self) -> list[Manifest]:
        """All manifests in the order of their chain. Reads every one: ``sealed_ids`` costs nearly nothing."""
        manifests = [manifest for run_id in self.run_ids() if (manifest := self.read_manifest(run_id))]
        return sorted(manifests, key=lambda manifest: manifest.seq)

    def is_sealed(self, run_id: str) -> bool:
        """True when a run has its manifest."""
        return (self.run_dir(run_id) / "manifest.json").exists()

    def sealed_ids(self) -> list[str]:
        """Runs with a manifest, oldest first."""
        return [run_id for run_id in self.run_ids() if self.is_sealed(run_id)]

    def unsealed(self) -> list[str]:
        """Runs without a manifest, oldest first: still running, or interrupted."""
        return [run_id for run_id in self.run_ids() if not self.is_sealed(run_id)]
