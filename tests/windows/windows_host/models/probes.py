"""Probes that tell of the system, its services, its clock and Defender: the host's state over golden data."""

from __future__ import annotations

import time
import typing as t

from windows_host.models.antivirus import over
from windows_host.registry import Result, probe

if t.TYPE_CHECKING:
    from windows_host.host import WindowsHost

_STATES = {"started": "Running", "stopped": "Stopped"}
_STARTS = {"auto": "Auto", "delayed": "Auto", "manual": "Manual", "disabled": "Disabled"}
_HOUR = 3600.0
# Days that stand for "never" (MSFT_MpComputerStatus).
_NEVER = 4294967295
# Records of the event log between two boots.
_RECORDS = 1000
_PROBES = "plugins/module_utils/probes"


@probe("system", source=f"{_PROBES}/system.psm1")
def system(host: WindowsHost, base: Result) -> Result:
    base["release"] |= {"build": str(host.version.build), "ubr": host.ubr}
    base["os"] |= {"booted_at": host.booted_at, "uptime_s": round(host.now() - host.booted_at, 3)}
    base["computer"] |= {"name": host.name.upper()}
    boots = [host.booted_at, host.booted_at - 20 * 86400 if host.boots == 1 else host.booted_at - 5 * 86400]
    record = 20_000 + _RECORDS * host.boots
    base["boot"] = {
        "starts": [{"at": at, "record": record - _RECORDS * age, "started": _iso(at)} for age, at in enumerate(boots)],
        "ends": [
            {"id": 13, "at": host.booted_at - 60, "record": record - 10},
            {"id": 6006, "at": host.booted_at - 62, "record": record - 12},
        ],
    }
    return base


@probe("services", source=f"{_PROBES}/services.psm1")
def services(host: WindowsHost, base: Result) -> Result:
    found = base["services"]
    for service in host.services.values():
        known = next((name for name in found if name.lower() == service.name.lower()), service.name)
        crashed = service.start_fails and service.state == "stopped"
        facts: Result = {
            "display": service.display_name or service.name,
            "state": _STATES[service.state],
            "start": _STARTS[service.start_mode],
            # A service that did not come up says why; one that somebody stopped ended well.
            "exit": 1067 if crashed else 0,
        }
        if facts["start"] == "Auto" and facts["state"] != "Running":
            facts |= {"delayed": service.start_mode == "delayed", "trigger": service.triggers, "kind": 16}
        found[known] = facts
    base["watched"] = list(host.parameters.get("services", {}).get("watched", []))
    base["booted_at"] = host.booted_at
    base["tasks"] += [
        {
            "path": f"\\{task.path.strip(chr(92))}\\{task.name}".replace("\\\\", "\\"),
            "enabled": task.enabled,
            "state": 3 if task.enabled else 1,
            "last": task.last_run,
            "next": host.now() + 86400,
            "result": f"{task.last_result & 0xFFFFFFFF:08X}" if task.last_run else "00041303",
            "missed": 0,
        }
        for task in host.tasks.values()
    ]
    return base


@probe("timesync", source=f"{_PROBES}/timesync.psm1")
def timesync(host: WindowsHost, base: Result) -> Result:
    time_service = host.services.get("w32time")
    if time_service is not None:
        base["services"]["W32Time"]["state"] = _STATES[time_service.state]
    for sample in base["samples"]:
        sample["offset_s"] = round(0.004 - host.clock_offset_s, 6)
    return base


@probe("antivirus", source=f"{_PROBES}/antivirus.psm1")
def antivirus(host: WindowsHost, base: Result) -> Result:
    defender, now = host.defender, host.now()
    runs = defender.enabled and defender.mode != "Not running"
    status = base["defender"]["status"]
    status |= {
        "AMRunningMode": defender.mode,
        "AMServiceEnabled": runs,
        "AntivirusEnabled": runs,
        "RealTimeProtectionEnabled": defender.real_time and runs,
        "OnAccessProtectionEnabled": defender.real_time and runs,
        "AntivirusSignatureVersion": defender.signature_version,
        "AntivirusSignatureLastUpdated": now - defender.signature_age_h * _HOUR,
        "AntivirusSignatureAge": int(defender.signature_age_h // 24),
        # As Defender itself has it: after seven days.
        "DefenderSignaturesOutOfDate": defender.signature_age_h > 7 * 24,
    }
    for kind, age in (("Quick", defender.last_quick_scan_age_h), ("Full", defender.last_full_scan_age_h)):
        status[f"{kind}ScanAge"] = _NEVER if age is None else int(age // 24)
        status[f"{kind}ScanEndTime"] = None if age is None else now - age * _HOUR
    base["services"]["WinDefend"]["state"] = "Running" if runs else "Stopped"
    return over(host, base)


def _iso(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000000Z", time.gmtime(moment))
