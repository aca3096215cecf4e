# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what Microsoft Defender Antivirus says of itself. Pure.

Numbers and bits are those of MSFT_MpComputerStatus, MSFT_MpThreatDetection (learn.microsoft.com, "Windows Defender
WMIv2 APIs"), mpclient.h (MPTHREAT_STATUS, MPTHREAT_SEVERITY) and the Defender CSP (Health/ProductStatus).
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.keepwell.fleet.plugins.module_utils.probes._vendor_engines import empty_engine

Raw = Mapping[str, t.Any]
PRODUCT = "Microsoft Defender Antivirus"
SERVICES = ("WinDefend", "WdNisSvc", "Sense")
_DAY = 86400.0
_PASSIVE = ("passive mode", "sxs passive mode", "edr block mode", "edr over passive mode")
_NOT_RUNNING = "not running"
# Ages in days that stand for "never".
NEVER = (4294967295, 65535)
_ISSUES = {
    2: "no engine is loaded",
    4: "a full scan is needed after a detection",
    8: "a restart is needed after a detection",
    16: "somebody has to finish the removal of a detection",
    4096: "it runs as an evaluation copy",
    16384: "it has expired",
    32768: "a scan without Windows is needed after a detection",
    131072: "the removal of a detection failed",
    262144: "the removal of a detection failed in part",
}
# The platform is out of date, or the end of its support has come or is near.
_PLATFORM_OLD = 1048576 | 8388608
_KNOWN_STATUS = 524288
_SEVERITIES = {1: "low", 2: "moderate", 4: "high", 5: "severe"}
# MPTHREAT_STATUS: 1 detected, 2 cleaned, 3 quarantined, 4 removed, 5 allowed, 6 blocked, from 102 on: that failed.
_ACTED = {2: "cleaned", 3: "quarantined", 4: "removed", 6: "blocked"}
_ALLOWED = 5
_FAILED = 102
_ADDITIONAL = {4: "full_scan", 8: "reboot", 16: "manual", 32768: "offline_scan"}
_STILL = {
    "full_scan": "a full scan has to end the removal",
    "reboot": "a restart has to end the removal",
    "manual": "somebody has to end the removal",
    "offline_scan": "a scan without Windows has to end the removal",
}


def engine(raw: Raw, services: Mapping[str, Raw], units: dict[str, t.Any], at: float) -> dict[str, t.Any] | None:
    """Return Defender's facts; None where it is not installed (a server without the feature)."""
    told = raw.get("defender")
    if told is None and "WinDefend" not in services:
        return None
    service = services.get("WinDefend")
    facts: dict[str, t.Any] = empty_engine(PRODUCT, "av", None if service is None else service["state"] == "Running")
    facts["units"] = units
    if told is None:
        # It runs and does not say how it is: how old its definitions are is not known, which is not "fine".
        facts["definitions"] = _definitions({}, at) if facts["running"] else None
        return facts
    status: Raw = told["status"]
    mode = status.get("AMRunningMode") or None
    word = str(mode or "").casefold()
    bits = int(status.get("ProductStatus") or 0)
    running = bool(status.get("AMServiceEnabled")) and word != _NOT_RUNNING
    passive = word in _PASSIVE
    issues = [text for bit, text in _ISSUES.items() if bits & bit]
    facts.update(
        version=status.get("AMProductVersion") or None,
        engine_version=status.get("AMEngineVersion") or None,
        running=running,
        realtime="off" if not running else "passive" if passive else _realtime(status),
        definitions=_definitions(status, at) if running else None,
        healthy=False if issues else None,
        health_issues=issues or None,
        platform_supported=not bits & _PLATFORM_OLD if bits else None,
        tamper_protected=status.get("IsTamperProtected"),
        onboarded=True if raw.get("onboarded") == 1 else None,
        # A passive engine scans nothing by itself.
        last_quick=_scan(status, "Quick", at) if running and not passive else None,
        last_full=_scan(status, "Full", at) if running and not passive else None,
        exclusions=_exclusions(told.get("preference")),
        detections=_detections(told),
        running_mode=mode,
        product_status=bits or None,
        block_mode="edr" in word,
        controls={
            "behaviour": status.get("BehaviorMonitorEnabled"),
            "downloads": status.get("IoavProtectionEnabled"),
            "network": status.get("NISEnabled"),
            "cloud": _cloud(told.get("preference")),
        },
    )
    return facts


def beside(own: dict[str, t.Any], others: Sequence[Raw]) -> dict[str, t.Any]:
    """Return Defender's facts as they count beside other engines: one that stepped back for them is not broken."""
    stands_in = any(other["kind"] != "hids" and other["running"] and other["realtime"] != "off" for other in others)
    if own["running"] is False and stands_in:
        return {**own, "definitions": None, "healthy": None, "health_issues": None, "platform_supported": None}
    if own["realtime"] == "unknown" and stands_in:
        return {**own, "definitions": None}
    return own


def _realtime(status: Raw) -> str:
    switch, engine_on = status.get("RealTimeProtectionEnabled"), status.get("AntivirusEnabled")
    if switch is None:
        return "unknown"
    return "on" if switch and engine_on is not False else "off"


def _definitions(status: Raw, at: float) -> dict[str, t.Any] | None:
    version = status.get("AntivirusSignatureVersion") or None
    age = status.get("AntivirusSignatureAge")
    updated = status.get("AntivirusSignatureLastUpdated")
    if updated is None and age is not None and age not in NEVER:
        updated = at - float(age) * _DAY
    if version is None and updated is None:
        return {"version": None, "updated_at": None, "age_s": None, "loaded_version": None, "status": "unavailable"}
    return {
        "version": version,
        "updated_at": updated,
        "age_s": None if updated is None else round(at - updated),
        "loaded_version": None,
        "status": "out_of_date" if status.get("DefenderSignaturesOutOfDate") else "up_to_date",
    }


def _scan(status: Raw, kind: str, at: float) -> float | str | None:
    """When the last scan of a kind ended: epoch seconds, ``never``, or None when that is not told."""
    age, ended = status.get(f"{kind}ScanAge"), status.get(f"{kind}ScanEndTime")
    if age in NEVER:
        return "never"
    if ended is not None:
        return float(ended)
    return None if age is None else at - float(age) * _DAY


def _exclusions(preference: Raw | None) -> list[str] | None:
    """Paths as they are, kinds of files as ``*.ext``, programs whose files are passed by as ``process NAME``."""
    if preference is None:
        return None
    paths = list(preference.get("ExclusionPath") or ())
    programs = list(preference.get("ExclusionProcess") or ())
    kinds = list(preference.get("ExclusionExtension") or ())
    # To anybody but administrators Windows says in place of the list that it is hidden.
    if any(str(entry).startswith("N/A") for entry in (*paths, *programs, *kinds)):
        return None
    return [*paths, *(f"process {name}" for name in programs), *(f"*.{kind.lstrip('.')}" for kind in kinds)]


def _cloud(preference: Raw | None) -> bool | None:
    reporting = None if preference is None else preference.get("MAPSReporting")
    return None if reporting is None else reporting != 0


def _detections(told: Raw) -> list[dict[str, t.Any]] | None:
    if told.get("detections") is None:
        return None
    threats = told.get("threats") or {}
    return [detection(entry, threats.get(entry["threat"]) or {}) for entry in told["detections"]]


def detection(entry: Raw, threat: Raw) -> dict[str, t.Any]:
    """Return a detection as every engine tells of one: whether it is over is told by Defender's own record."""
    status = int(entry["status"])
    bits = int(entry["additional"])
    additional = [name for bit, name in _ADDITIONAL.items() if bits & bit]
    failed = status >= _FAILED
    acted = _ACTED.get(status)
    why = ""
    if status == _ALLOWED:
        why = "somebody allowed it"
    elif additional:
        why = _STILL[additional[0]]
    open_still = failed or status in (1, _ALLOWED) or bool(additional)
    return {
        "id": entry["id"],
        "name": threat.get("name") or f"threat {entry['threat']}",
        "severity": _SEVERITIES.get(threat.get("severity") or 0),
        "first_seen": entry["first_at"],
        "last_change": entry["changed_at"],
        "logged_at": None,
        "action_ok": False if failed else bool(entry["acted_well"]) if acted else None,
        "active": True if open_still else False if acted else threat.get("active"),
        "path_hash": entry["path_hash"],
        "why": why,
        "additional": additional,
        "executed": threat.get("executed"),
    }
