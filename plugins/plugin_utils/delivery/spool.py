# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: messages that wait to be sent, and what became of the others.

Layout below a client's folder::

    delivery/waiting/<key>.json      a message: from which run, to whom, how often it was tried
    delivery/payload/<key>           its bytes, as they were promised
    delivery/{sent,given_up,withdrawn}/<key>.json    what became of it
    delivery/told/<receiver>.json    what a receiver knows, to tell what is news

The key is made of client, run, receiver and recipient, so that the same thing is promised once. Passwords and addresses
of webhooks are in none of these files: they are read from the client's variables when a message is sent. Every file
appears whole. Runs on the control node.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import typing as t
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery.news import Told
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import (
    EvidenceError,
    canonical,
    dump,
    load,
    make_folder,
    write_atomic,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import SCHEMA_VERSION, Model, Timestamp, epoch, iso

End = t.Literal["sent", "given_up", "withdrawn"]
ENDS: tuple[End, ...] = t.get_args(End)
# Longer than any run is delivered again, so that forgetting an end never sends a message twice.
KEEP_DAYS: t.Final = 400
# What waits for a client may take that much of the disk, bytes: above the first only messages without attachments are
# added, above the second none.
ROOM_WITH_FILES: t.Final = 200_000_000
ROOM: t.Final = 250_000_000


class Item(Model):
    """A message that waits."""

    schema_version: str = SCHEMA_VERSION
    client: str
    run_id: str
    receiver: str
    channel: str
    recipient: str = Field("", description="mail address; empty where the receiver says where it goes")
    reasons: list[str] = []
    payload_sha256: str
    created_at: Timestamp
    give_up_at: Timestamp
    next_at: Timestamp
    attempts: int = 0
    state: t.Literal["waiting", "sending", "doubtful"] = Field(
        "waiting", description="sending: an attempt passed the point from which on it may have arrived"
    )
    text: str = Field("", description="why the last attempt failed")

    @property
    def key(self) -> str:
        """The same for every attempt to tell the same recipient of the same run."""
        return key_of(self.client, self.run_id, self.receiver, self.recipient)

    @property
    def name(self) -> str:
        """``desk (mail to ann@bakery.example)``."""
        return f"{self.receiver} ({self.channel}{' to ' + self.recipient if self.recipient else ''})"


class Receipt(Model):
    """What became of a message."""

    schema_version: str = SCHEMA_VERSION
    client: str
    run_id: str
    receiver: str
    channel: str
    recipient: str = ""
    at: Timestamp
    attempts: int
    text: str = ""


def key_of(client: str, run_id: str, receiver: str, recipient: str) -> str:
    """Return the key of a message; it is also its idempotency key."""
    return hashlib.sha256(canonical([client, run_id, receiver, recipient])).hexdigest()[:32]


class Spool:
    """The messages of one client."""

    def __init__(self, state_dir: str | Path, client: str) -> None:
        self.client = client
        self.root = Path(state_dir) / client / "delivery"
        self._waiting = self.root / "waiting"
        self._payload = self.root / "payload"

    @contextlib.contextmanager
    def locked(self) -> Iterator[bool]:
        """True when no other process sends for this client; none begins to while this holds."""
        with self._told_clearly():
            make_folder(self.root)
            lock = open(self.root / ".lock", "ab")  # noqa: SIM115
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def knows(self, key: str) -> bool:
        """True when this message waits, or came to an end already."""
        # In this order: on its way to an end a message is never in neither place.
        return (self._waiting / f"{key}.json").exists() or self._has_ended(key)

    def add(self, item: Item, payload: bytes) -> None:
        """Promise a message: from here on it is sent, given up or withdrawn, and nothing else."""
        with self._told_clearly():
            write_atomic(self._payload / item.key, payload)
            write_atomic(self._waiting / f"{item.key}.json", dump(item))

    def used(self) -> int:
        """Return how many bytes the messages take that wait."""
        size = 0
        with self._told_clearly():
            for path in self._payload.glob("*"):
                # One may be sent and cleared away in this moment.
                with contextlib.suppress(FileNotFoundError):
                    size += path.stat().st_size
        return size

    def update(self, item: Item) -> None:
        """Write how far a message is."""
        with self._told_clearly():
            write_atomic(self._waiting / f"{item.key}.json", dump(item))

    def items(self) -> tuple[list[Item], list[str]]:
        """Return what waits, oldest first, and a sentence for each file that is no message of this client."""
        found: list[Item] = []
        problems: list[str] = []
        for path in sorted(self._waiting.glob("*.json")):
            try:
                item = load(Item, path)
            except EvidenceError as exc:
                problems.append(str(exc))
                continue
            if item.client != self.client or f"{item.key}.json" != path.name:
                problems.append(f"{path} is not a message of client {self.client}: it is not sent. Move it away.")
            elif not self._has_ended(item.key):
                found.append(item)
        return sorted(found, key=lambda item: (item.created_at, item.run_id, item.key)), problems

    def payload(self, item: Item) -> bytes:
        """Return a message's bytes. Raises EvidenceError when they are not those that were promised."""
        path = self._payload / item.key
        try:
            content = path.read_bytes()
        except OSError as exc:
            raise EvidenceError(f"{path} cannot be read: {exc.strerror}.") from exc
        if hashlib.sha256(content).hexdigest() != item.payload_sha256:
            raise EvidenceError(f"{path} was changed since the message was made; it is not sent.")
        return content

    def end(self, item: Item, end: End, now: float, text: str) -> None:
        """Write down what became of a message, then clear it away."""
        receipt = Receipt(
            client=item.client,
            run_id=item.run_id,
            receiver=item.receiver,
            channel=item.channel,
            recipient=item.recipient,
            at=iso(now),
            attempts=item.attempts,
            text=text,
        )
        with self._told_clearly():
            write_atomic(self._end(end, item.key), dump(receipt))
        self._remove(item)

    def ends(self, end: End) -> list[Receipt]:
        """Return all messages that came to this end and are still remembered."""
        return [load(Receipt, path) for path in sorted((self.root / end).glob("*.json"))]

    def told(self, receiver: str) -> Told | None:
        """Return what a receiver knows, None when it was never told anything."""
        path = self._told_path(receiver)
        return load(Told, path) if path.exists() else None

    def keep_told(self, receiver: str, told: Told) -> None:
        """Write what a receiver knows, where that is something else than before."""
        path = self._told_path(receiver)
        content = dump(told)
        with self._told_clearly():
            if not path.exists() or path.read_bytes() != content:
                write_atomic(path, content)

    def tidy(self, now: float) -> None:
        """Clear away what nothing refers to, and forget ends that are too old to matter. Call within ``locked``."""
        with self._told_clearly():
            for path in self._waiting.glob("*.json"):
                # It came to its end, and the process to its own before it could clear away.
                if self._has_ended(path.stem):
                    path.unlink(missing_ok=True)
            for end in ENDS:
                for path in (self.root / end).glob("*.json"):
                    if path.stat().st_mtime < now - KEEP_DAYS * 86400:
                        path.unlink(missing_ok=True)
            for path in self._payload.glob("*"):
                # A fresh one may be of a message that another process is just about to promise.
                if path.stat().st_mtime < now - 86400 and not (self._waiting / f"{path.name}.json").exists():
                    path.unlink(missing_ok=True)

    def _has_ended(self, key: str) -> bool:
        return any(self._end(end, key).exists() for end in ENDS)

    def _end(self, end: End, key: str) -> Path:
        return self.root / end / f"{key}.json"

    def _told_path(self, receiver: str) -> Path:
        return self.root / "told" / f"{receiver}.json"

    def _remove(self, item: Item) -> None:
        with self._told_clearly():
            (self._waiting / f"{item.key}.json").unlink(missing_ok=True)
            (self._payload / item.key).unlink(missing_ok=True)

    @contextlib.contextmanager
    def _told_clearly(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise EvidenceError(
                f"{self.root} cannot be written: {exc.strerror}. Messages wait there: free space, or correct rights."
            ) from exc


def recent(timestamp: str, now: float) -> bool:
    """False for a run so old that it is no longer delivered."""
    return now - epoch(timestamp) < (KEEP_DAYS - 61) * 86400
