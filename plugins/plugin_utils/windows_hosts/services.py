# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: Windows' service manager (``services.psm1``) as the document of ``services.py``. Pure.

A unit is a service by its short name, a timer a scheduled task by its path. What a service is there is told with the
words that systemd has for it, so that the same checks judge both.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping, Sequence

HOUR = 3600.0
UNIT_CAP = 150
RUNNING_CAP = 300
# Win32_Service.State
_ACTIVE = {
    "Running": "active",
    "Start Pending": "activating",
    "Continue Pending": "activating",
    "Stop Pending": "deactivating",
    "Pause Pending": "deactivating",
    "Paused": "inactive",
    "Stopped": "inactive",
}
# Win32_Service.StartMode
_ENABLED = {"Auto": "enabled", "Manual": "manual", "Disabled": "disabled", "Boot": "enabled", "System": "enabled"}
# winerror.h: no error, and never started since the start of Windows.
_WELL = (0, 1077)
# A service ended by itself, or could not be started (Service Control Manager).
_CRASHED = (7031, 7034)
_FAILED = (7000, 7009, 7022, 7023, 7024, 7031, 7034, 7038)
_WHY = {
    7000: "could not be started",
    7009: "did not answer its start in time",
    7022: "hung while it started",
    7023: "ended with an error",
    7024: "ended with an error of its own",
    7031: "ended unexpectedly",
    7034: "ended unexpectedly",
    7038: "could not log on",
}
# Bits of the registry's Type: the pattern of a service that every user gets one of, and one user's copy of it.
_PER_USER = 0x40 | 0x80
# Automatic services that end by themselves when there is nothing left to do: licensing, updaters, maps, maintenance.
_MAY_END = re.compile(
    r"^(?:sppsvc|gupdate\w*|edgeupdate\w*|GoogleUpdater\w*|MapsBroker|RemoteRegistry|TrustedInstaller|clr_optimization\w*"
    r"|BITS|wuauserv|UsoSvc|WaaSMedicSvc|CDPSvc|tiledatamodelsvc|DoSvc|StateRepository|WbioSrvc|ShellHWDetection|dbupdate"
    r"|brave|ClickToRunSvc)$",
    re.IGNORECASE,
)
# Last results of a task that tell of no failure (schedule service, winerror.h): done, ready, runs, disabled, has not
# run yet, no more runs, ended by a person, queued, runs already.
_TASK_WELL = {
    "00000000",
    "00041300",
    "00041301",
    "00041302",
    "00041303",
    "00041304",
    "00041306",
    "00041325",
    "8004131F",
}
_TASK_NEVER = "00041303"
_TASK_RUNNING = 4
_USER = re.compile(r"-?S-1-5-21-[\d-]+")


def read(raw: Mapping[str, t.Any], at: float) -> dict[str, t.Any]:
    """Return the data of the services probe; ``events`` is a Windows-only key: what happened in the last day."""
    services: Mapping[str, t.Any] = raw["services"]
    # A name each: neither the letters of a text nor the same one twice.
    wanted = [raw["watched"]] if isinstance(raw.get("watched"), str) else raw.get("watched") or []
    watched = list(dict.fromkeys(real_name(name, services) for name in wanted))
    events = None if raw.get("events") is None else [_event(event, services) for event in raw["events"]]
    failed = _failures(events or [])
    units = {name: _unit(name, facts, failed) for name, facts in services.items()}
    chosen, left_out = _choose(units, watched)
    return {
        "manager": "scm",
        "version": None,
        "manager_since": raw.get("booted_at"),
        "system_state": None,
        "counts": {"service": _states(units)},
        "units": chosen,
        "left_out": left_out,
        "running": sorted(name for name, unit in units.items() if unit["active"] == "active")[:RUNNING_CAP],
        "timers": None if raw.get("tasks") is None else {_path(task): _timer(task) for task in raw["tasks"]},
        "watched": watched,
        "masked": sorted(name for name in watched if (units.get(name) or {}).get("enabled") == "disabled"),
        "restarts_last_hour": None if events is None else _crashes(events, at),
        "lingering_users": [],
        "cron": None,
        "events": events,
    }


def real_name(name: str, services: Mapping[str, t.Any]) -> str:
    """Return a service's short name as Windows writes it, found by that name in any case or by its name on display."""
    wanted = name.casefold()
    for known in services:
        if known.casefold() == wanted:
            return known
    for known, facts in services.items():
        if str(facts.get("display") or "").casefold() == wanted:
            return known
    return name


def _event(event: Mapping[str, t.Any], services: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return {"id", "at", "service"}; an event's binary part holds the short name, else the displayed one tells."""
    name = ""
    digits = str(event.get("binary") or "")
    if len(digits) % 4 == 0 and re.fullmatch(r"[0-9A-Fa-f]+", digits):
        name = bytes.fromhex(digits).decode("utf-16-le", "replace").split("\0")[0].split("/")[0]
    if name not in services:
        name = real_name(str(event.get("name") or ""), services)
    return {"id": int(event["id"]), "at": float(event["at"]), "service": name}


def _failures(events: Sequence[Mapping[str, t.Any]]) -> dict[str, Mapping[str, t.Any]]:
    """The last failure of each service."""
    found: dict[str, Mapping[str, t.Any]] = {}
    for event in sorted(events, key=lambda event: event["at"]):
        if event["id"] in _FAILED:
            found[event["service"]] = event
    return found


def _unit(name: str, facts: Mapping[str, t.Any], failed: Mapping[str, Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """Return the facts of one service.

    An automatic service that is down has failed when it left an error or the log tells of one; else somebody stopped
    it. One that a trigger starts waits for it, and one that ended with 0 may have had nothing to do.
    """
    active = _ACTIVE.get(facts["state"], "inactive")
    event = failed.get(name)
    down = active == "inactive" and facts["start"] == "Auto"
    code = facts.get("specific") or facts["exit"]
    waits = bool(facts.get("trigger")) or bool(int(facts.get("kind") or 0) & _PER_USER) or bool(_MAY_END.match(name))
    if down and not waits and (facts["exit"] not in _WELL or event):
        active = "failed"
    result = "success" if active != "failed" else _WHY[event["id"]] if event else "exit-code"
    return {
        "type": None,
        "load": "loaded",
        "active": active,
        "sub": str(facts["state"]).lower(),
        "result": result,
        "enabled": _ENABLED.get(facts["start"], facts["start"]),
        "since": event["at"] if active == "failed" and event else None,
        # Its conditions were met unless it waits for a trigger; a service that was never started tells nothing.
        "condition": False if waits else None if facts["exit"] == 1077 else True,
        "triggered_by": ["trigger"] if facts.get("trigger") else [],
        "delayed": bool(facts.get("delayed")),
        "restarts": None,
        "exit": code if code not in _WELL else 0,
        "invocation": None,
        "memory_bytes": None,
        "tasks": None,
    }


def _choose(units: Mapping[str, t.Any], watched: Sequence[str]) -> tuple[dict[str, t.Any], int]:
    """Return the services that may matter, and how many of those are beyond the cap, as the probe elsewhere does."""
    ranked = []
    for name, unit in units.items():
        if name in watched or unit["active"] in ("failed", "activating", "deactivating"):
            ranked.append((0, name))
        elif unit["enabled"] == "enabled":
            ranked.append((1 if unit["active"] != "active" else 2, name))
    ranked.sort()
    chosen = {name: units[name] for _rank, name in ranked[:UNIT_CAP]}
    for name in watched:
        chosen.setdefault(name, {"load": "not-found", "active": "inactive", "sub": "dead"})
    return chosen, max(0, len(ranked) - UNIT_CAP)


def _states(units: Mapping[str, t.Any]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for unit in units.values():
        counts[unit["active"]] = counts.get(unit["active"], 0) + 1
    return counts


def _crashes(events: Sequence[Mapping[str, t.Any]], at: float) -> dict[str, int]:
    """How often each service ended unexpectedly in the last hour: Windows writes nothing of its starting it again."""
    counts: dict[str, int] = {}
    for event in events:
        if event["id"] in _CRASHED and at - event["at"] <= HOUR:
            counts[event["service"]] = counts.get(event["service"], 0) + 1
    return counts


def _path(task: Mapping[str, t.Any]) -> str:
    """A task's path without the id of a user that some programs put into it."""
    return _USER.sub("", str(task["path"])).lstrip("\\")


def _timer(task: Mapping[str, t.Any]) -> dict[str, t.Any]:
    result = str(task["result"])
    running = task["state"] == _TASK_RUNNING
    well = result in _TASK_WELL
    # A task without a next run may be one that something else than the clock starts: no more can be told of it.
    return {
        "active": "active" if task["enabled"] else "inactive",
        "sub": "running" if running else "waiting",
        "result": "success",
        "enabled": "enabled" if task["enabled"] else "disabled",
        "since": None,
        "condition": None,
        "last": None if result == _TASK_NEVER else task["last"],
        "next": task["next"],
        "unit": str(task["path"]),
        "unit_active": "active" if running else "inactive",
        "unit_result": "success" if well else "exit-code",
        "unit_exit": None if well else f"0x{result}",
        "unit_since": task["last"],
        "missed": task["missed"],
        "by_event": task["next"] is None,
    }
