"""The agent of patching: what it sees, whether a round may begin, and the notes of it below HKLM\\SOFTWARE\\Keepwell."""

from __future__ import annotations

import re
import time
import typing as t
from dataclasses import dataclass, field

from windows_host import work
from windows_host.registry import Refusal, Result, operation

if t.TYPE_CHECKING:
    from windows_host.host import WindowsHost

_AGENT = "plugins/module_utils/patching"


@dataclass
class Patching:
    """What only patching knows of a host: its notes, and what a test sets against it."""

    notes: dict[str, Result] = field(default_factory=dict)
    installers: list[Result] = field(default_factory=list)
    """Who installs just now, as @{ process; pid }; a test may take them away in the middle."""
    users: list[Result] | None = field(default_factory=list)
    image: str = "Healthy"
    refused: str = ""
    roles: list[str] = field(default_factory=list)
    cluster: Result | None = None
    answering: dict[str, bool] = field(default_factory=dict)
    """Of ``patching_probes``: name -> whether it answers; all do that are not named."""


def begin_round(host: WindowsHost) -> str:
    """Let a run that is gone have begun a round which Windows is still at work on; return its id."""
    identifier = "01K0000000000000000000000R"
    host.of(Patching).notes[identifier] = {
        "id": identifier, "run_id": "01K0000000000000000000000A", "client": "another", "host": host.name,
        "plan_hash": "", "moves": [], "runtime_s": 7200, "started_at": host.now() - 60, "recorded": False,
    }  # fmt: skip
    host.of(Patching).installers = [{"process": "TiWorker.exe", "pid": 4711}]
    return identifier


@operation("patching", "boot", source=f"{_AGENT}/boot.psm1", reads=True)
def boot(host: WindowsHost, request: Result) -> Result:
    return {
        # A file time, which tells boots apart as the boot's id does here.
        "boot_id": host.boot_id,
        "pid1_started": "",
        "kernel": f"10.0.{host.version.build}.{host.ubr}",
        "uptime_s": round(host.now() - host.booted_at, 1),
        "booted": True,
    }


@operation("patching", "look", source=f"{_AGENT}/look.psm1", reads=True)
def look(host: WindowsHost, request: Result) -> Result:
    own = host.of(Patching)
    holder = work.busy(host)
    clean = own.image == "Healthy"
    return {
        "manager": "wua",
        "refused": own.refused,
        "state": {"clean": clean, "problems": [] if clean else [f"the component store is damaged ({own.image})"]},
        "locks": list(own.installers),
        "space": [_space(host)],
        "users": own.users,
        "fsck_pending": False,
        "luks_at_boot": [],
        "roles": own.roles,
        "cluster": own.cluster,
        "keepwell_lock": {"held": bool(holder), "holder": holder},
        "transactions": _unfinished(host),
        "boot": boot(host, request),
    }


def _space(host: WindowsHost) -> Result:
    system = host.volumes[0]
    return {"mount": f"{system.letter}:\\", "roles": ["system"], "free_bytes": system.free, "free_inodes_percent": None}


@operation("patching", "probes", source=f"{_AGENT}/user_probes.psm1", reads=True)
def probes(host: WindowsHost, request: Result) -> Result:
    answering = host.of(Patching).answering
    good = {probe["name"]: answering.get(probe["name"], True) for probe in request["probes"]}
    return {
        "probes": {name: {"ok": ok, "text": "status 200" if ok else "no answer in time"} for name, ok in good.items()}
    }


@operation("patching", "unfinished", source=f"{_AGENT}/notes.psm1", reads=True)
def unfinished(host: WindowsHost, request: Result) -> Result:
    return {"transactions": _unfinished(host)}


def at_work(host: WindowsHost) -> str:
    """As Get-KeepwellRunningRound of chores/rounds.psm1: which round is at work, in words; empty when none is."""
    alive = [round_ for round_ in _unfinished(host) if round_["alive"]]
    return f"patching {alive[0]['id']} of run {alive[0]['run_id']}" if alive else ""


def _unfinished(host: WindowsHost) -> list[Result]:
    notes = host.of(Patching).notes
    return [_summary(host, notes[name]) for name in sorted(notes) if not notes[name]["recorded"]]


def _summary(host: WindowsHost, note: Result) -> Result:
    alive = (
        not note["recorded"]
        and host.now() < note["started_at"] + note["runtime_s"]
        and bool(host.of(Patching).installers)
    )
    told = ("id", "run_id", "client", "host", "plan_hash", "started_at", "moves", "recorded")
    phase = "applying" if alive else "ended"
    return {**{name: note[name] for name in told}, "kind": "apply", "phase": phase, "outcome": None, "alive": alive}


@operation("patching", "status", source=f"{_AGENT}/notes.psm1", reads=True)
def status(host: WindowsHost, request: Result) -> Result:
    return _summary(host, _note(host, request["id"]))


def _note(host: WindowsHost, identifier: str) -> Result:
    note = host.of(Patching).notes.get(identifier)
    if note is None:
        raise Refusal("unknown_work", f"This host knows no work {identifier}.")
    return note


@operation("patching", "start", source=f"{_AGENT}/notes.psm1")
def start(host: WindowsHost, request: Result) -> Result:
    own = host.of(Patching)
    answer: Result = {
        "id": request["id"], "started": False, "attached": False, "code": "", "text": "", "started_at": None,
    }  # fmt: skip
    if not re.fullmatch(r"[0-9A-Z]{26}", request["id"]):
        raise Refusal("bad_request", f"'{request['id']}' is no id of a round.")
    if request["id"] in own.notes:
        return {**answer, "attached": True, "started_at": own.notes[request["id"]]["started_at"]}
    against = _obstacle(host, request)
    if against is not None:
        return {**answer, "code": against[0], "text": against[1]}
    kept = ("id", "run_id", "client", "host", "plan_hash", "moves", "runtime_s")
    note = {**{name: request[name] for name in kept}, "started_at": round(host.now(), 3), "recorded": False}
    own.notes[request["id"]] = note
    host.change("note", request["id"])
    return {**answer, "started": True, "started_at": note["started_at"]}


def _obstacle(host: WindowsHost, request: Result) -> tuple[str, str] | None:
    own = host.of(Patching)
    other = work.busy(host)
    if other:
        return "host_locked", f"Keepwell is at work on this host already: {other}."
    if own.installers:
        names = ", ".join(sorted({entry["process"] for entry in own.installers}))
        return "locked", f"Another installation is at work: {names}."
    free = _space(host)["free_bytes"]
    if free < request["reserve_bytes"]:
        return (
            "disk_full",
            f"There is no room for the updates: {free} bytes are free on C:\\, {request['reserve_bytes']} are needed.",
        )
    changed = _changed(host, request)
    return ("plan_changed", f"The host would now do something else than was approved: {changed}.") if changed else None


def _changed(host: WindowsHost, request: Result) -> str:
    """As Get-KeepwellOfferChange of offers.psm1: a search of what the agent knows."""
    offered = {update.id: update for update in host.windows_update.offered()}
    lines = []
    for move in request["moves"]:
        update = offered.get(move["update_id"])
        if update is None:
            lines.append(f"{move['name']} is not offered any more")
        elif update.hidden:
            lines.append(f"{move['name']} is hidden by now")
        elif update.revision != int(move["revision"]):
            lines.append(f"{move['name']} is revision {update.revision} instead of {move['revision']}")
        elif not request["licences"] and not update.eula_accepted:
            lines.append(f"nobody has accepted the licence terms of {move['name']}")
    return "; ".join(lines)


@operation("patching", "recorded", source=f"{_AGENT}/notes.psm1")
def recorded(host: WindowsHost, request: Result) -> Result:
    _note(host, request["id"])["recorded"] = True
    return {"recorded": True}


@operation("patching", "clean", source=f"{_AGENT}/notes.psm1")
def clean(host: WindowsHost, request: Result) -> Result:
    notes = host.of(Patching).notes
    oldest = (request.get("now") or time.time()) - request["keep_days"] * 86400
    old = [name for name, note in notes.items() if note["recorded"] and note["started_at"] < oldest]
    for name in old:
        del notes[name]
    return {"removed": old, "kept": sorted(notes)}


@operation("patching", "refresh", source=f"{_AGENT}/offers.psm1")
def refresh(host: WindowsHost, request: Result) -> Result:
    failed = host.windows_update.search_fails
    return {"rc": int(failed is not None), "errors": [] if failed is None else [f"0x{failed:08x}"]}
