"""Defender as antivirus work meets it: what it is, what its sources have, what a scan finds, and what it does then."""

from __future__ import annotations

import copy
import hashlib
import time
import typing as t
from dataclasses import dataclass, field

from windows_host import work
from windows_host.registry import Result, operation

if t.TYPE_CHECKING:
    from windows_host.host import WindowsHost

_AGENT = "plugins/module_utils/antivirus/agent.psm1, care.psm1 and defender.psm1"
# AMRunningMode: learn.microsoft.com/powershell/module/defender/get-mpcomputerstatus.
_MODES = {
    "Normal": "normal",
    "Passive Mode": "passive",
    "SxS Passive Mode": "passive",
    "EDR Block Mode": "edr_block",
    "Not running": "not_running",
}
# MP_THREAT_STATUS and MP_THREAT_ACTION of mpclient.h.
DETECTED, CLEANED, QUARANTINED, REMOVED, QUARANTINE_FAILED = 1, 2, 3, 4, 103


@dataclass
class Protection:
    """What Defender of this host has before it, and who else is there."""

    installed: bool = True
    readable: bool = True
    available: str | None = None
    """The version that the sources have; None: no other than the one in place."""
    rivals: list[tuple[str, bool]] = field(default_factory=list)
    """Other products, and whether they are on."""
    sources: list[str] = field(default_factory=lambda: ["MicrosoftUpdateServer", "MMPC"])
    wsus: str | None = None
    infected: list[tuple[str, str, int]] = field(default_factory=list)
    """Name, path and what a scan's own remediation comes to (MP_THREAT_STATUS), of what lies there unseen."""
    scan_lasts_s: float = 60.0


def found(name: str, path: str, status: int, at: float, number: int = 1, **more: t.Any) -> Result:
    """A detection as Get-KeepwellDefenderDetection tells it."""
    over = status in (CLEANED, QUARANTINED, REMOVED)
    return {
        "id": f"{{{number:08X}-0000-4000-8000-000000000000}}",
        "threat": str(2147519003 + number),
        "name": name,
        "severity": 5,
        "active": not over,
        "executed": False,
        "status": status,
        "acted_well": over,
        "additional": 0,
        "error": 0 if status < 100 else 0x80508023,
        "first_at": at,
        "changed_at": at,
        "resources": [path],
        **more,
    }


def state_of(host: WindowsHost) -> Result | None:
    """Get-KeepwellDefenderState."""
    told = host.of(Protection)
    if not told.installed:
        return None
    defender, service = host.defender, host.services["windefend"]
    stopped = service.state == "stopped"
    mode = "not_running" if stopped else _MODES[defender.mode] if told.readable else "unknown"
    now = host.now()
    return {
        "mode": mode,
        "error": "" if told.readable else "0x800106ba",
        "service": {"state": "stopped" if stopped else "running", "start": service.start_mode},
        "real_time": None if stopped else defender.real_time,
        "tamper_protected": True,
        "definitions": {
            "version": defender.signature_version or None,
            "updated_at": now - defender.signature_age_h * 3600 if defender.signature_version else None,
        },
        "engine_version": "1.1.25090.3000",
        "platform_version": "4.18.25090.3009",
        "last_quick": _ago(now, defender.last_quick_scan_age_h),
        "last_full": _ago(now, defender.last_full_scan_age_h),
        "sources": list(told.sources),
        "sources_by_policy": False,
        "wsus": told.wsus,
        "off_by_policy": False,
    }


def _ago(now: float, hours: float | None) -> float | None:
    return None if hours is None else now - hours * 3600


def _stopped(host: WindowsHost) -> Result:
    """Get-KeepwellStoppedDefender."""
    defender = state_of(host)
    if defender is None or defender["service"]["state"] != "stopped":
        return {}
    engines = [name for name, on in host.of(Protection).rivals if on]
    if engines:
        return {"WinDefend": f"{' and '.join(engines)} is the engine of this host"}
    if defender["service"]["start"] == "disabled":
        return {"WinDefend": "it is disabled: somebody wants it never to run"}
    return {"WinDefend": ""}


@operation("antivirus", "look", source=_AGENT, reads=True)
def look(host: WindowsHost, request: Result) -> Result:
    told = host.of(Protection)
    return {
        "system": "windows",
        "engines": {"clamav": None, "mdatp": False, "defender": state_of(host)},
        "others": [{"product": name, "active": on} for name, on in told.rivals],
        "stopped": _stopped(host),
        "detections": copy.deepcopy(host.defender.detections) if told.installed else None,
        "quarantined": [],
        "open": [],
        "ledger": "",
        "lock": work.busy(host),
        "targets": None,
    }


@operation("antivirus", "start", source=_AGENT)
def start(host: WindowsHost, request: Result) -> Result:
    own: Result = {"steps": list(request["steps"]), "results": {}, "progress": {}, "waits_until": None}
    return work.begin(host, "antivirus", request, own, lambda state: _care(host, request))


def _care(host: WindowsHost, request: Result) -> Result:
    """Invoke-KeepwellAntivirusWork."""
    does = {"repair": _repair, "update": _update, "scan": _scan}
    results: Result = {}
    for name in request["steps"]:
        began = time.time()
        results[name] = {**does[name](host, request), "began": began, "ended": time.time()}
    failed = [(name, answer) for name, answer in results.items() if answer["result"] == "failed"]
    if not failed:
        return {"results": results, "outcome": "done", "code": "", "text": ""}
    text = " ".join(f"{name}: {answer['text'].rstrip('.')}." for name, answer in failed)
    return {"results": results, "outcome": "failed", "code": failed[0][1]["code"], "text": text}


def _repair(host: WindowsHost, request: Result) -> Result:
    stopped = _stopped(host)
    if not stopped:
        return {"result": "done", "code": "", "text": "nothing that is meant to run is down", "units": {}}
    service = host.services["windefend"]
    against = stopped["WinDefend"]
    if against:
        unit = {"result": "left", "text": against, "evidence": ""}
        return {"result": "done", "code": "", "text": f"left WinDefend down: {against}", "units": {"WinDefend": unit}}
    evidence = "2026-11-27T03:00:00Z System 7031"
    if service.start_fails:
        text = f"it does not stay up after {request['repair']['attempts']} attempts (0x8007041d)"
        unit = {"result": "failed", "text": text, "evidence": evidence}
        return {
            "result": "failed",
            "code": "repair_failed",
            "text": f"WinDefend: {text}",
            "units": {"WinDefend": unit},
        }
    service.state = "started"
    host.change("service", "WinDefend started")
    unit = {"result": "started", "text": "started", "evidence": evidence}
    return {"result": "done", "code": "", "text": "started WinDefend", "units": {"WinDefend": unit}}


def _update(host: WindowsHost, request: Result) -> Result:
    told, defender = host.of(Protection), host.defender
    before = state_of(host)
    if before is None:
        return {"result": "failed", "code": "no_engine", "text": "Defender is not installed", "engines": []}
    said = "its sources answered"
    if defender.update_fails is not None:
        said = f"its sources answered 0x{defender.update_fails:08x}"
    elif told.available and told.available != defender.signature_version:
        defender.signature_version, defender.signature_age_h = told.available, 1.0
        host.change("definitions", told.available)
    after = state_of(host)
    assert after is not None
    changed = after["definitions"]["version"] != before["definitions"]["version"]
    fresh = changed or defender.signature_age_h * 3600 < request["update"]["current_s"]
    result = "failed" if not fresh else "updated" if changed else "current"
    text = f"{said} (sources: {f'the WSUS server {told.wsus}' if told.wsus else ', '.join(told.sources)})"
    if result == "failed":
        text = f"definitions are as they were and old: {text}"
    engine = {
        "engine": "Defender",
        "result": result,
        "text": text,
        "before": {"disk": before["definitions"]["version"], "loaded": None},
        "after": {
            "disk": after["definitions"]["version"],
            "loaded": None,
            "disk_built_at": after["definitions"]["updated_at"],
        },
    }
    return {
        "result": "failed" if result == "failed" else "done",
        "code": "not_updated" if result == "failed" else "",
        "text": f"Defender: {text}",
        "engines": [engine],
    }


def _scan(host: WindowsHost, request: Result) -> Result:
    told, defender = host.of(Protection), host.defender
    full = request["scan"]["kind"] == "full"
    name = "Full scan by Defender" if full else "Quick scan by Defender"
    before = copy.deepcopy(defender.detections)
    whole = told.scan_lasts_s <= request["scan"]["seconds"]
    if whole:
        for threat, path, status in told.infected:
            number = len(defender.detections) + 1
            defender.detections.append(found(threat, path, status, host.now(), number))
            if status in (CLEANED, QUARANTINED, REMOVED):
                host.change("malware", path)
        told.infected = []
        setattr(defender, "last_full_scan_age_h" if full else "last_quick_scan_age_h", 0.0)
    new = len(defender.detections) - len(before)
    said = "" if whole else "; it came to its time limit and was ended"
    return {
        "result": "done",
        "code": "",
        "text": f"{name}: {new} new detections{said}",
        "scanner": name,
        "whole": whole,
        "reached": None,
        "resumed": False,
        "files": None,
        "bytes": None,
        "found": new,
        "before": before,
        "after": copy.deepcopy(defender.detections),
    }


_SUMMARY = ("id", "run_id", "client", "host", "steps", "phase", "outcome", "code", "text", "started_at")


@operation("antivirus", "status", source=_AGENT, reads=True)
def status(host: WindowsHost, request: Result) -> Result:
    return work.status(host, "antivirus", request)


@operation("antivirus", "unfinished", source=_AGENT, reads=True)
def unfinished(host: WindowsHost, request: Result) -> Result:
    return work.unfinished(host, "antivirus", _SUMMARY)


@operation("antivirus", "recorded", source=_AGENT)
def recorded(host: WindowsHost, request: Result) -> Result:
    return work.recorded(host, "antivirus", request)


@operation("antivirus", "clean", source=_AGENT)
def clean(host: WindowsHost, request: Result) -> Result:
    return work.clean(host, "antivirus", request)


def over(host: WindowsHost, base: Result) -> Result:
    """What this state is to the probe (Get-KeepwellAntivirusFacts), over what it tells of Defender."""
    told, now = host.of(Protection), host.now()
    service = host.services["windefend"]
    if not told.installed:
        base["services"] = {name: facts for name, facts in base["services"].items() if "Defend" not in name}
        base["defender"] = None
    elif service.state == "stopped" or not told.readable:
        base["services"]["WinDefend"]["state"] = "Stopped" if service.state == "stopped" else "Running"
        base["defender"] = None
    else:
        base["defender"]["threats"] = {
            entry["threat"]: {name: entry[name] for name in ("name", "severity", "active", "executed")}
            for entry in host.defender.detections
        }
        base["defender"]["detections"] = [
            {
                **{name: entry[name] for name in ("id", "threat", "first_at", "changed_at", "acted_well", "status")},
                "execution": 1,
                "additional": entry["additional"],
                "path_hash": hashlib.sha256("|".join(entry["resources"]).encode()).hexdigest()[:16],
            }
            for entry in host.defender.detections
        ]
    for number, (name, on) in enumerate(told.rivals):
        if host.version.server:
            base["services"][_SERVICES[name]] = {
                "state": "Running" if on else "Stopped",
                "start": "Auto",
                "version": "10.0.0.0",
            }
        else:
            entry = {"name": name, "guid": f"{{{number:08X}-1111-2222-3333-444444444444}}", "program_exists": True}
            # Bit 0x1000: on (productState of root/SecurityCenter2).
            state = 0x041000 if on else 0x040000
            base["centre"] = [*(base["centre"] or []), {**entry, "state": state, "timestamp": _stamp(now)}]
    return base


# The service by which a server's other engine is known.
_SERVICES = {"CrowdStrike Falcon": "CSFalconService", "Sophos": "Sophos Endpoint Defense Service"}


def _stamp(at: float) -> str:
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(at))
