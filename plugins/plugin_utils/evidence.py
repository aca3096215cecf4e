# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: evidence on disk. The only truth; everything shown is made from it.

Every file appears whole (temporary file, fsync, rename) or not at all. A run is sealed by its manifest, which holds
the hash of every file and of the manifest before it. Runs on the control node.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
import typing as t
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit import verify
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import (
    FILE_MODE,
    FOLDER_MODE,
    EvidenceError,
    canonical,
    dump_redacted,
    make_folder,
    write_atomic,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.redact import redact_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Manifest, ManifestFile, Run, RunHeader
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_files import OBSERVERS, RunFiles


class Signer(t.Protocol):
    """Who signs a manifest (``audit.signing``)."""

    @property
    def identity(self) -> str:
        """The name that the signature is checked for."""

    def sign(self, content: bytes, at: str) -> bytes:
        """Return the signature of ``content`` at a time (ISO, UTC). Raises EvidenceError with one sentence."""


class Store(RunFiles):
    """One client's evidence: its files, and what keeps them in order."""

    def begin(self, header: RunHeader) -> Path:
        """Make a run's folder with its run.json in it, in one step, and return it."""
        try:
            make_folder(self.runs)
            draft = Path(tempfile.mkdtemp(prefix=".new-", dir=self.runs))
            (draft / "hosts").mkdir()
            (draft / OBSERVERS).touch(FILE_MODE)
            write_atomic(draft / "run.json", dump_redacted(Run(status="running", header=header)))
            # mkdtemp gives 0700; the state directory's own mode decides who may read evidence.
            draft.chmod(FOLDER_MODE)
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
    def sealing(self) -> Iterator[None]:
        """Let one process at a time extend the chain and the history of this client."""
        try:
            make_folder(self.root)
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
            lock = open(self.run_dir(run_id) / OBSERVERS, "rb")  # noqa: SIM115
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

    def seal(
        self,
        run: Run,
        previous: Manifest | None,
        signer: Signer | None = None,
        deleted: Mapping[str, Sequence[str]] | None = None,
    ) -> Manifest:
        """Write the final run.json and the manifest that hashes all files of the run. Call within ``sealing``.

        ``previous`` is the end of the chain: the manifest that was sealed last. ``deleted`` are files of earlier runs
        whose time is over, by run. A manifest that could not be signed says so, and why.
        """
        folder = self.run_dir(run.header.run_id)
        for leftover in [*folder.rglob(".*.tmp"), folder / verify.SIGNATURE]:
            leftover.unlink(missing_ok=True)
        (folder / OBSERVERS).unlink(missing_ok=True)
        write_atomic(folder / "run.json", dump_redacted(run))
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
            playbook=run.header.playbook,
            entry=run.header.entry,
            acting=run.header.acting,
            files=files,
            signed_by=signer.identity if signer else None,
            deleted={run_id: sorted(names) for run_id, names in (deleted or {}).items()},
        )
        if signer:
            try:
                # Before the manifest: a run that is sealed and says that it is signed has its signature.
                write_atomic(folder / verify.SIGNATURE, signer.sign(_bytes(manifest), manifest.ended_at))
            except EvidenceError as exc:
                manifest = manifest.model_copy(update={"signed_by": None, "unsigned": redact_text(str(exc))})
        write_atomic(folder / verify.MANIFEST, _bytes(manifest))
        return manifest

    def altered(self, manifest: Manifest, deleted: Collection[str] = ()) -> list[str]:
        """Return what no longer is as it was when the run was sealed: files changed, missing or added.

        ``deleted`` are its files that may be gone (``deleted_files``).
        """
        place = verify.Folder(str(self.root))
        return verify.file_problems(place, manifest.model_dump(mode="json"), deleted)

    def broken_links(self, chain: Sequence[Manifest]) -> list[str]:
        """Return where a chain of manifests (in order) does not hold: a run is missing, or a manifest was changed."""
        return verify.link_problems(self._links(chain), verify.Folder(str(self.root)))

    def deleted_files(self, chain: Sequence[Manifest]) -> dict[str, set[str]]:
        """Return which files of which runs this chain records as deleted when their time was over."""
        return verify.deleted_files(self._links(chain, hashed=False))

    def _links(self, chain: Sequence[Manifest], hashed: bool = True) -> list[verify.Link]:
        return [
            verify.Link(
                manifest.run_id,
                manifest.model_dump(mode="json", exclude={"files"}),
                self.manifest_hash(manifest.run_id) if hashed else "",
            )
            for manifest in chain
        ]

    def manifest_hash(self, run_id: str) -> str:
        """SHA-256 of a run's manifest file, as the next manifest refers to it."""
        return hashlib.sha256((self.run_dir(run_id) / "manifest.json").read_bytes()).hexdigest()


def _bytes(manifest: Manifest) -> bytes:
    return canonical(manifest.model_dump(mode="json"))


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
