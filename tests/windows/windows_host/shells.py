"""What all shells have in common: commands that run in a thread of their own, and output that waits to be fetched."""

from __future__ import annotations

import threading
import typing as t
from dataclasses import dataclass, field


class Lost(Exception):
    """The work was done, and the connection ends before the answer."""


@dataclass(frozen=True)
class Reply:
    """What a script left: lines or objects of its pipeline, what it wrote as errors, its exit code."""

    output: t.Sequence[str] = ()
    errors: str = ""
    rc: int = 0


# Given the text of a script and the lines of its input, the reply.
Run = t.Callable[[str, list[str]], Reply]


@dataclass
class Work:
    """A command of a shell: the input it collects, then what comes of it."""

    script: str
    input: bytearray = field(default_factory=bytearray)
    done: threading.Event = field(default_factory=threading.Event)
    reply: Reply | None = None
    lost: bool = False
    sent: int = 0
    """Octets of the output that the client has."""

    def start(self, run: Run, lines: list[str]) -> None:
        """Run in a thread: the client asks for the output as long as it takes."""
        threading.Thread(target=self._run, args=(run, lines), daemon=True).start()

    def _run(self, run: Run, lines: list[str]) -> None:
        try:
            self.reply = run(self.script, lines)
        except Lost:
            self.lost = True
        except Exception as exc:  # noqa: BLE001 - a client that is told nothing would ask for ever
            self.reply = Reply(errors=f"The simulated host failed: {type(exc).__name__}: {exc}", rc=1)
        self.done.set()
