# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: evidence on disk. The only truth; everything shown is made from it.

Layout below the state directory (design, contracts)::

    <client>/runs/<run_id>/{run.json, hosts/<host>.json, manifest.json}

Every file appears whole (temporary file, fsync, rename) or not at all. A run is sealed by its manifest, which holds
the hash of every file and of the manifest before it. Runs on the control node.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import itertools
import json
import os
import secrets
import socket
import tempfile
import typing as t
import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import (
    HostEvidence,
    Manifest,
    ManifestFile,
    Model,
    Run,
    RunHeader,
    epoch,
)

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_NAME_LIMIT = 120
# Workers that observe a host hold a lock on it; gone when the run is sealed.
_OBSERVERS = ".observers"
# Evidence names weak spots: for the owner and the group (monitoring reads status.json), nobody else.
FILE_MODE = 0o640
# A run on another control node that shares the state directory cannot be looked at; after this it counts as dead.
_FOREIGN_RUN_LIMIT_S = 86400.0


class EvidenceError(Exception):
    """Evidence that cannot be read or written; the message says what, where, why and what to do."""


def canonical(document: t.Any) -> bytes:
    """Return JSON with sorted keys and no spare spaces, as UTF-8 with a line end: the form that is hashed."""
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # Lone surrogates (undecodable bytes of a host) have no UTF-8 form.
    return (text + "\n").encode("utf-8", "replace")


def dump(model: Model) -> bytes:
    """Return a document as canonical JSON, without values that equal their default."""
    return canonical(model.model_dump(mode="json", exclude_defaults=True) | _always(model))


def _always(model: Model) -> dict[str, t.Any]:
    return {"schema_version": model.schema_version} if "schema_version" in type(model).model_fields else {}  # type: ignore[attr-defined]


def finding_key(client: str, host: str, check: str, obj: str) -> str:
    """Return the stable key of a finding: 16 hex digits over client, host, check and object."""
    array = json.dumps([client, host, check, obj], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(array.encode("utf-8", "replace")).hexdigest()[:16]


def new_run_id(now: float) -> str:
    """Return a ULID: 48 bits of milliseconds and 80 random bits, 26 characters that sort by time."""
    number = (int(now * 1000) << 80) | secrets.randbits(80)
    digits = ""
    for _digit in range(26):
        number, rest = divmod(number, 32)
        digits = _CROCKFORD[rest] + digits
    return digits


def host_file_name(host: str) -> str:
    """Return a safe, unique file name for any host name, without ``.json``.

    Letters, digits and ``._-`` stay; all else is percent-encoded; long names are cut and get a hash.
    """
    name = urllib.parse.quote(host, safe="._-", errors="replace")
    if name.startswith("."):
        name = "%2E" + name[1:]
    if len(name) <= _NAME_LIMIT:
        return name
    digest = hashlib.sha256(host.encode("utf-8", "replace")).hexdigest()[:16]
    return f"{name[: _NAME_LIMIT - 17]}-{digest}"


def write_atomic(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path`` so that a reader, or a crash, sees the old file or the new one and nothing else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fchmod(stream.fileno(), FILE_MODE)
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


ModelT = t.TypeVar("ModelT", bound=Model)


def load(model: type[ModelT], path: Path) -> ModelT:
    """Read a document of a known kind. Raises EvidenceError with one sentence when that is impossible."""
    try:
        text = path.read_bytes()
    except OSError as exc:
        raise EvidenceError(f"{path} cannot be read: {exc.strerror}.") from exc
    try:
        document = json.loads(text)
    except ValueError as exc:
        raise EvidenceError(
            f"{path} is not JSON ({exc}): it was damaged or edited. Restore it from a backup, or move its run away."
        ) from exc
    try:
        return model.model_validate(document)
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise EvidenceError(
            f"{path} is not a {model.__name__} of this version ({where}: {first['msg']}): "
            "it was made by another version of Keepwell, damaged or edited."
        ) from exc


def this_process() -> dict[str, t.Any]:
    """Return what identifies the controller process whose worker this is (its parent under Ansible)."""
    pid = os.getppid()
    return {"pid": pid, "started": _start_ticks(pid), "boot_id": _boot_id(), "controller": socket.gethostname()}


def _start_ticks(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return int(stat.rsplit(")", 1)[1].split()[19])


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def is_alive(header: RunHeader, now: float) -> bool:
    """True when the controller process of a run still exists (or cannot be looked at and is young)."""
    process = header.process
    if process.get("controller") != socket.gethostname():
        return now - epoch(header.started_at) < _FOREIGN_RUN_LIMIT_S
    if process.get("boot_id") != _boot_id():
        return False
    started = _start_ticks(int(process.get("pid", 0)))
    return started is not None and started == process.get("started")


class Store:
    """One client's evidence."""

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

    def begin(self, header: RunHeader) -> Path:
        """Make a run's folder with its run.json in it, in one step, and return it."""
        try:
            self.runs.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(prefix=".new-", dir=self.runs))
            (draft / "hosts").mkdir()
            (draft / _OBSERVERS).touch(FILE_MODE)
            write_atomic(draft / "run.json", dump(Run(status="running", header=header)))
            # mkdtemp gives 0700; the state directory's own mode decides who may read evidence.
            draft.chmod(0o750)
            os.rename(draft, self.run_dir(header.run_id))
        except OSError as exc:
            raise self._unwritable(exc) from exc
        return self.run_dir(header.run_id)

    def _unwritable(self, exc: OSError) -> EvidenceError:
        return EvidenceError(
            f"The state directory {self.root} cannot be written: {exc.strerror}. "
            "Set keepwell_state_dir to a folder that the user running Ansible may write."
        )

    @contextlib.contextmanager
    def observing(self, run_id: str) -> Iterator[None]:
        """Hold the run open while a worker observes a host: a run with a worker in it is not sealed.

        Workers live on when ansible-playbook is killed; without this, such a worker could add a file to a run that
        the next run has already sealed as interrupted.
        """
        try:
            # Only read: a sealed run has no such file any more, and must get no new one.
            lock = open(self.run_dir(run_id) / _OBSERVERS, "rb")  # noqa: SIM115
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
            write_atomic(path, dump(evidence))
        except OSError as exc:
            raise EvidenceError(f"{path} cannot be written: {exc.strerror}.") from exc
        return path

    def read_run(self, run_id: str) -> Run:
        """Return run.json of a run."""
        return load(Run, self.run_dir(run_id) / "run.json")

    def read_host(self, run_id: str, host: str) -> HostEvidence | None:
        """Return a host's evidence in a run, or None when there is none (any more)."""
        path = self.host_path(run_id, host)
        return load(HostEvidence, path) if path.exists() else None

    def read_hosts(self, run_id: str) -> Iterator[HostEvidence]:
        """Yield the evidence of all hosts of a run, one in memory at a time, in the order of their files."""
        for path in sorted((self.run_dir(run_id) / "hosts").glob("*.json")):
            yield load(HostEvidence, path)

    def read_manifest(self, run_id: str) -> Manifest | None:
        """Return the manifest of a run, or None when it is not sealed."""
        path = self.run_dir(run_id) / "manifest.json"
        return load(Manifest, path) if path.exists() else None

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

    @contextlib.contextmanager
    def sealing(self) -> Iterator[None]:
        """Let one process at a time extend the chain and the history of this client."""
        try:
            self.root.mkdir(mode=0o750, parents=True, exist_ok=True)
            lock = open(self.root / ".sealing", "ab")  # noqa: SIM115
        except OSError as exc:
            raise self._unwritable(exc) from exc
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def deserted(self, run_id: str) -> Iterator[bool]:
        """True when no worker of this run is alive any more; none can come back while this holds."""
        try:
            lock = open(self.run_dir(run_id) / _OBSERVERS, "rb")  # noqa: SIM115
        except FileNotFoundError:
            yield True
            return
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def seal(self, run: Run, previous: Manifest | None) -> Manifest:
        """Write the final run.json and the manifest that hashes all files of the run. Call within ``sealing``.

        ``previous`` is the end of the chain: the manifest that was sealed last.
        """
        folder = self.run_dir(run.header.run_id)
        for leftover in [*folder.glob(".*.tmp"), *folder.glob("hosts/.*.tmp")]:
            leftover.unlink()
        (folder / _OBSERVERS).unlink(missing_ok=True)
        write_atomic(folder / "run.json", dump(run))
        files = {
            path.relative_to(folder).as_posix(): ManifestFile(
                sha256=hashlib.sha256(content := path.read_bytes()).hexdigest(), size=len(content)
            )
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        manifest = Manifest(
            run_id=run.header.run_id,
            client=self.client_id,
            seq=previous.seq + 1 if previous else 1,
            previous_run_id=previous.run_id if previous else None,
            previous_manifest_sha256=self.manifest_hash(previous.run_id) if previous else None,
            status="interrupted" if run.status == "interrupted" else "complete",
            started_at=run.header.started_at,
            ended_at=t.cast(str, run.ended_at),
            population_sha256=hashlib.sha256(canonical(run.header.population)).hexdigest(),
            partial=run.header.partial,
            files=files,
        )
        write_atomic(folder / "manifest.json", canonical(manifest.model_dump(mode="json")))
        return manifest

    def altered(self, manifest: Manifest) -> list[str]:
        """Return what no longer is as it was when the run was sealed: files changed, missing or added."""
        folder = self.run_dir(manifest.run_id)
        found = []
        for name, entry in sorted(manifest.files.items()):
            path = folder / name
            if not path.is_file():
                found.append(f"{path} is missing")
            elif hashlib.sha256(path.read_bytes()).hexdigest() != entry.sha256:
                found.append(f"{path} was changed after the run was sealed")
        known = {*manifest.files, "manifest.json"}
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and name not in known and not path.name.startswith("."):
                found.append(f"{path} was added after the run was sealed")
        return found

    def broken_links(self, chain: Sequence[Manifest]) -> list[str]:
        """Return where a chain of manifests (in order) does not hold: a run is missing, or a manifest was changed."""
        found = []
        for before, after in itertools.pairwise(chain):
            if after.seq != before.seq + 1 or after.previous_run_id != before.run_id:
                found.append(f"between runs {before.run_id} and {after.run_id} of {self.client_id} a run is missing")
            elif after.previous_manifest_sha256 != self.manifest_hash(before.run_id):
                path = self.run_dir(before.run_id) / "manifest.json"
                found.append(f"{path} was changed after the next run was sealed")
        return found

    def manifest_hash(self, run_id: str) -> str:
        """SHA-256 of a run's manifest file, as the next manifest refers to it."""
        return hashlib.sha256((self.run_dir(run_id) / "manifest.json").read_bytes()).hexdigest()


def current_run(state_dir: str | Path, process: dict[str, t.Any]) -> tuple[Store, str] | None:
    """Return the store and id of the unsealed run that this controller process began, or None.

    What cannot be read (damaged, or another user's) is not this process's: it may belong to another client.
    """
    root = Path(state_dir)
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        store = Store(root, folder.name)
        with contextlib.suppress(OSError):
            for run_id in reversed(store.unsealed()):
                with contextlib.suppress(EvidenceError):
                    if store.read_run(run_id).header.process == process:
                        return store, run_id
    return None
