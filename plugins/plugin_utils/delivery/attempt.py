# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: one attempt to send one message, with an end whatever the other side does.

Every attempt has one point of no return: before it nothing can have arrived, after it something may have. It is written
down before it is passed, so that also after a crash it is known on which side of it an attempt ended.
"""

from __future__ import annotations

import threading
import typing as t
from collections.abc import Callable
from dataclasses import dataclass

Outcome = t.Literal["sent", "failed", "doubtful"]


@dataclass(frozen=True, slots=True)
class Answer:
    """How an attempt ended. ``down``: nobody there took messages, so the next one need not be tried just now."""

    outcome: Outcome
    text: str
    down: bool = False
    retry_after_s: float | None = None


class Abandoned(Exception):
    """The attempt ran out of time before its point of no return."""


class Gate:
    """The point of no return. ``mark`` writes it down."""

    def __init__(self, mark: Callable[[], None]) -> None:
        self._mark = mark
        self._lock = threading.Lock()
        self._abandoned = False
        self._passed = False
        self._closers: list[Callable[[], None]] = []

    @property
    def passed(self) -> bool:
        """True from the moment on from which something may have arrived."""
        return self._passed

    def closes(self, closer: Callable[[], None]) -> None:
        """Register what ends a connection from outside."""
        self._closers.append(closer)

    def go_through(self) -> None:
        """Pass the point of no return. Raises Abandoned when the time is up."""
        with self._lock:
            if self._abandoned:
                raise Abandoned
            self._mark()
            self._passed = True

    def abandon(self) -> None:
        """Let nobody through any more, and end the connections."""
        with self._lock:
            self._abandoned = True
        for closer in self._closers:
            closer()


def attempt(send: Callable[[Gate], Answer], mark: Callable[[], None], limit_s: float) -> Answer:
    """Return how an attempt ended, after ``limit_s`` seconds at the latest (and one more to close the connection).

    Time-outs of sockets are not enough: they begin anew with every byte, and looking up a name has none.
    """
    gate = Gate(mark)
    box: list[Answer | BaseException] = []

    def work() -> None:
        try:
            box.append(send(gate))
        except Abandoned:
            box.append(_late(gate, limit_s))
        except BaseException as exc:  # noqa: BLE001 - it is raised again below, in the thread that can tell it
            box.append(exc)

    thread = threading.Thread(target=work, name="keepwell-delivery", daemon=True)
    thread.start()
    thread.join(limit_s)
    late = thread.is_alive()
    if late:
        gate.abandon()
        thread.join(1)
    # What a connection says that was cut off under its hands is not why.
    if not box or (late and isinstance(box[0], Answer) and box[0].outcome != "sent"):
        return _late(gate, limit_s)
    if isinstance(box[0], BaseException):
        raise box[0]
    return box[0]


def _late(gate: Gate, limit_s: float) -> Answer:
    text = f"no answer within {limit_s:.0f} s"
    if gate.passed:
        return Answer("doubtful", f"{text} after the message was handed over", down=True)
    return Answer("failed", text, down=True)
