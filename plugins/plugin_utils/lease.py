# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the lease that one run at a time holds to change a client's hosts, whoever started it.

``<client>/lease/<number>.json`` says who holds it. A lease is taken by making the file of the next number, whole and
only if nobody else has made it: by a hard link, which every file system that two control nodes can share decides in one
place. An flock would end with the worker that begins the run, and on some mounts each machine would see its own.
Nothing that may still count is ever removed or rewritten, so nobody can take away what he does not own: the highest
number counts, it is over when ``<number>.released.json`` lies beside it or its run is sealed, and a run that finds a
higher number than its own has lost its lease and begins nothing more. A kill at any moment leaves a whole one or none.

Its file's time of change is the heartbeat. Both that and "now" are told by the file system's clock: those of two
control nodes need not agree. Runs on the control node.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
import typing as t
from pathlib import Path

from pydantic import Field

from ansible_collections.keepwell.fleet.plugins.plugin_utils import processes
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import (
    FILE_MODE,
    EvidenceError,
    dump,
    load,
    make_folder,
    write_atomic,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import SCHEMA_VERSION, Model, Timestamp, iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import RunHeader, TakenOver, Trigger

# A holder that cannot be looked at (another control node, another container) counts as gone after this long without a
# sign of life. A living run gives one at every step on every host and while it waits for work there.
HEARTBEAT_LIMIT_S: t.Final = 1800.0
# Signs of life closer together than this are one.
_HEARTBEAT_EVERY_S = 15.0
# Leases that are over stay this long, as numbers: a slow rival must find that the one he is after has been taken.
_KEPT = 50
# Every try that fails means that somebody else has taken the lease.
_TRIES = 20


class Lease(Model):
    """One lease, as its file says."""

    schema_version: str = SCHEMA_VERSION
    number: int = Field(ge=1)
    client: str
    run_id: str
    chores: list[str] = Field(description="what the run may do: the reason for the lease")
    started_at: Timestamp
    trigger: Trigger
    process: dict[str, t.Any] = Field(description="controller process, to tell whether it lives")
    taken_over: TakenOver | None = None

    @property
    def holder(self) -> str:
        """Who started the run, and where."""
        return f"{self.trigger.user} on {self.trigger.controller}"


class Released(Model):
    """Its holder gave a lease back."""

    run_id: str
    released_at: Timestamp


class Leases:
    """The leases of one client."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._folder = store.root / "lease"

    def take(self, header: RunHeader) -> Lease:
        """Take the lease for a run, over from a dead holder where need be.

        Raises EvidenceError, with who holds it and what to do, when somebody else does.
        """
        for _try in range(_TRIES):
            before = self.newest()
            lease = Lease(
                number=before.number + 1 if before else 1,
                client=header.client.id,
                run_id=header.run_id,
                chores=header.acting,
                started_at=header.started_at,
                trigger=header.trigger,
                process=header.process,
                taken_over=self._overtake(before, header.client.name) if before else None,
            )
            if self._put(lease):
                self._forget_before(lease.number - _KEPT)
                return lease
        raise EvidenceError(
            f"The lease of {header.client.name} below {self._folder} changes hands too fast. Start one run at a time."
        )

    def newest(self) -> Lease | None:
        """Return the lease that counts, over or not; None when there never was one."""
        while numbers := self._numbers():
            path = self._path(numbers[-1])
            try:
                return load(Lease, path)
            except EvidenceError:
                # Whoever took a number that others had passed already takes it back.
                if path.exists():
                    raise
        return None

    def lost(self, run_id: str) -> str:
        """Return why a run may not change hosts (any more); "" while it holds the lease."""
        newest = self.newest()
        if newest is None or (newest.run_id != run_id and not self._store.read_run(run_id).header.acting):
            return "This run did not begin as one that changes hosts: run_begin was not told what it may do (acting)."
        if newest.run_id != run_id:
            return (
                f"Run {newest.run_id}, started by {newest.holder}, has taken over the lease to change hosts of this "
                f"client since {newest.started_at}; this run begins nothing more."
            )
        return "This run has given back its lease to change hosts." if self._released(newest).exists() else ""

    def renew(self, run_id: str) -> None:
        """Give a sign of life for a run; for one that only looks, or has lost its lease, nothing happens."""
        # Whoever cannot give one stops where it counts: before the next step that changes something.
        with contextlib.suppress(EvidenceError, OSError):
            newest = self.newest()
            if newest is None or newest.run_id != run_id:
                return
            path = self._path(newest.number)
            if not 0.0 <= time.time() - path.stat().st_mtime < _HEARTBEAT_EVERY_S:
                os.utime(path)

    def fresh(self, run_id: str) -> bool:
        """True when a run holds the lease and has given a sign of life lately, or nobody can say."""
        try:
            newest = self.newest()
            return newest is not None and newest.run_id == run_id and self._silent_s(newest) <= HEARTBEAT_LIMIT_S
        except EvidenceError:
            return True

    def release(self, run_id: str, now: float) -> None:
        """Give back the lease that a run holds; what others hold is left alone."""
        newest = self.newest()
        if newest is not None and newest.run_id == run_id:
            with self._writing():
                write_atomic(self._released(newest), dump(Released(run_id=run_id, released_at=iso(now))))

    def _overtake(self, other: Lease, client: str) -> TakenOver | None:
        """Return why a lease counts for nothing any more; None when it was given back. Raises EvidenceError."""
        if self._released(other).exists():
            return None
        seal = self._store.read_manifest(other.run_id)
        if seal is not None and seal.status == "complete":
            return None
        process = other.process.get("pid", "?")
        alive = processes.look(other.process)
        silent_s = self._silent_s(other) if alive is None else 0.0
        wait = f"Wait for its end, or stop process {process} there."
        if alive:
            raise self._refusal(other, client, wait)
        if alive is None and silent_s <= HEARTBEAT_LIMIT_S:
            limit = f"after {_minutes(HEARTBEAT_LIMIT_S)} without one the next run takes over"
            raise self._refusal(other, client, f"{wait} Its last sign of life is {_minutes(silent_s)} old; {limit}.")
        with self._store.deserted(other.run_id) as deserted:
            if not deserted:
                workers = "but workers of it are still at a host: wait for their end"
                raise self._refusal(other, client, f"Its process {process} is gone, {workers}.")
        why = (
            f"Its process {process} is gone."
            if alive is False
            else f"It gave no sign of life for {_minutes(silent_s)}, and its process cannot be looked at from here."
        )
        return TakenOver(run_id=other.run_id, holder=other.holder, since=other.started_at, why=why)

    @staticmethod
    def _refusal(other: Lease, client: str, what: str) -> EvidenceError:
        return EvidenceError(
            f"Hosts of {client} are being changed ({', '.join(other.chores)}) by run {other.run_id}, since "
            f"{other.started_at}, started by {other.holder} ({other.trigger.origin}). "
            f"Only one run at a time may change a client's hosts. {what}"
        )

    def _put(self, lease: Lease) -> bool:
        """Make a lease's file; False when somebody else was faster."""
        path = self._path(lease.number)
        with self._writing():
            make_folder(self._folder)
            draft = self._draft(dump(lease))
            try:
                os.link(draft, path)
            except FileExistsError:
                # Over NFS the answer to a link that was made may get lost; its second try finds the first.
                if draft.stat().st_nlink != 2:
                    return False
            finally:
                draft.unlink(missing_ok=True)
            if self._numbers()[-1] != lease.number:
                # Taken after a long sleep in which this number was passed and forgotten.
                path.unlink()
                return False
            folder = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        return True

    def _draft(self, content: bytes) -> Path:
        descriptor, name = tempfile.mkstemp(prefix=".draft-", dir=self._folder)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fchmod(stream.fileno(), FILE_MODE)
            os.fsync(stream.fileno())
        return Path(name)

    def _silent_s(self, lease: Lease) -> float:
        """Seconds since the last sign of life, by the file system's own clock."""
        with self._writing():
            clock = self._draft(b"")
            try:
                return clock.stat().st_mtime - self._path(lease.number).stat().st_mtime
            except FileNotFoundError:
                # It was passed in this moment: whoever asks looks again.
                return 0.0
            finally:
                clock.unlink()

    def _forget_before(self, oldest: int) -> None:
        """Remove leases that were passed long ago, and drafts of processes that were killed while they wrote."""
        for path in self._folder.iterdir() if self._folder.is_dir() else ():
            with contextlib.suppress(OSError):
                number = path.name.partition(".")[0]
                stale = number == "" and time.time() - path.stat().st_mtime > HEARTBEAT_LIMIT_S
                if stale or (number.isdigit() and int(number) < oldest):
                    path.unlink()

    def _numbers(self) -> list[int]:
        try:
            names = [path.name.partition(".") for path in self._folder.iterdir()]
        except FileNotFoundError:
            return []
        except OSError as exc:
            raise EvidenceError(f"{self._folder} cannot be read: {exc.strerror}.") from exc
        return sorted(int(number) for number, _dot, rest in names if number.isdigit() and rest == "json")

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:08d}.json"

    def _released(self, lease: Lease) -> Path:
        return self._folder / f"{lease.number:08d}.released.json"

    @contextlib.contextmanager
    def _writing(self) -> t.Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise EvidenceError(
                f"The lease below {self._folder} cannot be written: {exc.strerror}. The state directory "
                "(keepwell_state_dir) must be writable and on a file system with hard links."
            ) from exc


def _minutes(seconds: float) -> str:
    number = round(max(seconds, 0.0) / 60)
    return f"{number} minute{'' if number == 1 else 's'}"
