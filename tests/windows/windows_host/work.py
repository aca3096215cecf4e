"""Work that outlives its connection, as module_utils/chores keeps it: begun, asked for, in evidence, forgotten.

The work itself is done at once, and told one question later: whoever follows it sees it at work first.
"""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, field

from windows_host.registry import Refusal, Result

if t.TYPE_CHECKING:
    from windows_host.host import WindowsHost

Run = t.Callable[[Result], Result]


@dataclass
class Works:
    """State of every piece of work on a host, by chore and id; the newest last."""

    states: dict[tuple[str, str], Result] = field(default_factory=dict)
    ends: dict[tuple[str, str], Result] = field(default_factory=dict)
    holder: str = ""
    """Who holds Keepwell's lock on this host, in words."""
    interrupted: bool = False
    """The next piece of work is ended from outside."""


def busy(host: WindowsHost) -> str:
    """As Get-KeepwellBusy of chores/jobs.psm1: who is at work for Keepwell, in words; a round of updates has no lock."""
    # The model of patching asks this, too.
    from windows_host.models import patching

    return host.of(Works).holder or patching.at_work(host)


def begin(host: WindowsHost, chore: str, request: Result, own: Result, run: Run) -> Result:
    """Answer the operation ``start``; ``run(state)`` does the work and returns the fields of its end."""
    works, key = host.of(Works), (chore, str(request["id"]))
    answer = {"id": request["id"], "unit": f"Keepwell {chore} {request['id']}", "started": False, "attached": False}
    if key in works.states:
        return {**answer, "attached": True, "text": "it was started before"}
    other = busy(host)
    if other:
        text = f"Keepwell is at work on this host already: {other}."
        return {**answer, "code": "host_locked", "text": text}
    state: Result = {name: request.get(name) for name in ("id", "run_id", "client", "host")}
    state |= {"phase": "waiting", "outcome": None, "code": "", "text": "", "bounded": "", "recorded": False}
    state |= {"started_at": time.time(), "ended_at": None, **own}
    works.states[key] = state
    end = run(dict(state))
    if works.interrupted:
        works.interrupted = False
        text = "The program was ended in the middle of the work."
        end = {**end, "outcome": "failed", "code": "interrupted", "text": text}
    works.ends[key] = {"phase": "ended", "ended_at": time.time(), **end}
    return {**answer, "started": True, "text": ""}


def status(host: WindowsHost, chore: str, request: Result) -> Result:
    """Answer the operation ``status``."""
    works, key = host.of(Works), (chore, str(request["id"]))
    if key not in works.states:
        raise Refusal("unknown_work", f"This host knows no work {request['id']}.")
    state = dict(works.states[key])
    if key in works.ends:
        works.states[key].update(works.ends.pop(key))
    return {**state, "alive": state["phase"] != "ended", "unit": None, "log_tail": ""}


def unfinished(host: WindowsHost, chore: str, fields: t.Sequence[str]) -> Result:
    """Answer the operation ``unfinished``: work that no evidence has yet."""
    left = [
        {**{name: state.get(name) for name in fields}, "alive": state["phase"] != "ended"}
        for (of, _id), state in host.of(Works).states.items()
        if of == chore and not state["recorded"]
    ]
    return {"work": left}


def recorded(host: WindowsHost, chore: str, request: Result) -> Result:
    """Answer the operation ``recorded``."""
    state = host.of(Works).states.get((chore, str(request["id"])))
    if state is None or state["phase"] != "ended":
        raise Refusal("not_ended", f"Work {request['id']} has not ended yet.")
    state["recorded"] = True
    return {"recorded": True}


def clean(host: WindowsHost, chore: str, request: Result) -> Result:
    """Answer the operation ``clean``: nothing is old enough here."""
    kept = [identifier for (of, identifier) in host.of(Works).states if of == chore]
    return {"removed": [], "kept": kept}
