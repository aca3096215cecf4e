# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: Defender on a Windows host: what Keepwell does with it there, and what it leaves. Pure.

Defender scans, moves and removes by itself, so on Windows Keepwell updates it, starts it, asks it to scan, and reads
what became of what it found. Where another product is the engine nothing is done at all.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus.models import PlannedStep
from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus.options import Options, ScanLimits, Step
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import duration_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_hosts import defender as own_record

Facts = Mapping[str, t.Any]
SYSTEM: t.Final = "windows"
# Defender's definitions come several times a day: those of the same version that are older than that did not come.
CURRENT_S: t.Final = 86400.0
# A service that is down is started before it is asked for anything.
_ORDER: tuple[Step, ...] = ("repair", "update", "scan", "restore")
_ITS_OWN = "Defender moves what it finds into its own quarantine, and its own record of that is the evidence"
_LEFT: Mapping[str, str] = {
    "quarantine": f"{_ITS_OWN}; Keepwell moves nothing on Windows",
}
# MP_THREAT_STATUS of mpclient.h (learn.microsoft.com/windows/win32/lwef/mpthreat-status): what became of the file.
STATUS: Mapping[int, str] = {2: "cleaned", 3: "quarantined", 4: "removed", 6: "blocked"}
_FAILED: Mapping[int, str] = {102: "cleaned", 103: "quarantined", 104: "removed", 107: "blocked"}


class Standing(t.NamedTuple):
    """Which part Defender has on a host. ``why`` is a sentence without its full stop."""

    part: t.Literal["engine", "passive", "blocking", "beside", "stopped", "absent", "unreadable"]
    why: str


def standing(look: Facts) -> Standing:
    """Return which part Defender has; ``beside`` means that another product is the engine and it is left alone."""
    defender = look["engines"]["defender"]
    others = [str(entry["product"]) for entry in look["others"] if entry["active"]]
    name = " and ".join(others)
    if defender is None:
        if others:
            return Standing("beside", f"{name} protects this host and there is no Defender here")
        return Standing("absent", "Defender is not installed, and no other product was found")
    mode = str(defender["mode"])
    if mode == "normal":
        return Standing("engine", "Defender is the engine")
    if mode == "unknown":
        said = f": {defender['error']}" if defender.get("error") else ""
        return Standing("unreadable", f"Defender does not say how it is{said}")
    if mode == "edr_block":
        beside = f" beside {name}" if name else ""
        return Standing("blocking", f"Defender only blocks what was missed (EDR in block mode){beside}")
    if others:
        how = "does not run" if mode == "not_running" else "is passive"
        return Standing("beside", f"{name} is the engine of this host; Defender {how} beside it and is left as it is")
    if mode == "not_running":
        return Standing("stopped", "Defender is installed and does not run")
    return Standing("passive", "Defender is passive, and no other engine was found")


def plan(
    look: Facts, options: Options, steps: Sequence[Step], splay_s: float
) -> tuple[list[PlannedStep], dict[str, str]]:
    """Return the steps in their order, and those that this host has no use for, each with the reason."""
    where = standing(look)
    left: dict[str, str] = {name: _LEFT[name] for name in steps if name in _LEFT}
    wanted = [name for name in _ORDER if name in steps]
    if where.part == "beside":
        return [], {**dict.fromkeys(map(str, wanted), where.why), **left}
    if "scan" in wanted and where.part in ("passive", "blocking"):
        wanted.remove("scan")
        left["scan"] = f"{where.why}: it is not asked to scan"
    repairs = "repair" in wanted and not any(look["stopped"].values()) and bool(look["stopped"])
    return [_step(name, look, options, where, splay_s, repairs=repairs) for name in wanted], left


def _step(name: Step, look: Facts, options: Options, where: Standing, splay_s: float, *, repairs: bool) -> PlannedStep:
    if name == "restore":
        text = f"Keepwell has no quarantine on Windows. {_ITS_OWN}: put it back there"
        return PlannedStep(name=name, text=text, ready=False, code="not_in_quarantine")
    if where.part == "absent":
        return PlannedStep(name=name, text=where.why, ready=False, code="no_engine")
    if where.part == "unreadable":
        return PlannedStep(name=name, text=where.why, ready=False, code="defender_unreadable")
    if name == "repair":
        return PlannedStep(name=name, text=_repair(look))
    if where.part == "stopped" and not repairs:
        text = f"{where.why}; {_repair(look)[:1].lower()}{_repair(look)[1:]}"
        return PlannedStep(name=name, text=text, ready=False, code="defender_stopped")
    return PlannedStep(name=name, text=_update(look, splay_s) if name == "update" else _scan(options))


def _repair(look: Facts) -> str:
    start = sorted(unit for unit, against in look["stopped"].items() if not against)
    left = [f"{unit} stays down: {against}" for unit, against in sorted(look["stopped"].items()) if against]
    text = f"Start {', '.join(start)}" if start else "Nothing that is meant to run is down"
    return "; ".join([text, *left])


def _update(look: Facts, splay_s: float) -> str:
    defender = look["engines"]["defender"]
    version = defender["definitions"]["version"]
    sources = " then ".join(defender["sources"]) or "the sources it is set to"
    policy = ", as a policy says" if defender["sources_by_policy"] else ""
    wait = f", after {duration_text(splay_s)}" if splay_s >= 1 else ""
    return f"Defender ({f'version {version}' if version else 'no definitions'}): ask {sources}{policy}{wait}"


def _scan(options: Options) -> str:
    kind = "full" if scans_all(options) else "quick"
    return f"A {kind} scan by Defender, for {options.scan_limits.minutes:g} minutes at most"


def scans_all(options: Options) -> bool:
    """True when a scan is to go over everything."""
    return "/" in options.scan_paths


def warnings(look: Facts, options: Options, steps: Sequence[str]) -> t.Iterator[str]:
    """Yield what a person should know: options that say nothing here, and what stands in the way."""
    without = list(_without_meaning(options, steps))
    if without:
        yield (
            "Defender decides itself where it scans, what it passes by, how much of the processor it takes and what it "
            f"moves; without meaning on Windows: {', '.join(without)}"
        )
    defender = look["engines"]["defender"]
    if defender and defender.get("wsus") and "update" in steps:
        yield f"Updates of this host come from {defender['wsus']}: definitions that are not approved there do not come"
    if look["lock"]:
        yield f"Keepwell is at work on this host: {look['lock']}"


def _without_meaning(options: Options, steps: Sequence[str]) -> t.Iterator[str]:
    """Names of options that somebody set and that mean nothing where Defender scans."""
    usual = Options()
    if {"scan", "rescan"} & set(steps):
        if options.scan_paths != usual.scan_paths and not scans_all(options):
            yield "antivirus_scan_paths"
        if options.scan_exclude:
            yield "antivirus_scan_exclude"
        for name in ScanLimits.model_fields:
            if name != "minutes" and getattr(options.scan_limits, name) != getattr(usual.scan_limits, name):
                yield f"antivirus_scan_limits.{name}"
    if "quarantine" in steps:
        for name in ("quarantine_folders", "archives"):
            if getattr(options, name) != getattr(usual, name):
                yield f"antivirus_{name}"


def compare(before: Sequence[Facts], after: Sequence[Facts]) -> tuple[list[Facts], list[str]]:
    """Return the detections that are new in Defender's record, and the ids of those that were open and are over."""
    known = {entry["id"]: became(entry)[0] for entry in before}
    new = [entry for entry in after if entry["id"] not in known]
    over = [entry["id"] for entry in after if known.get(entry["id"]) == "open" and became(entry)[0] != "open"]
    return new, sorted(over)


def count_open(look: Facts) -> int:
    """Return how many detections are open by Defender's record."""
    return sum(became(entry)[0] == "open" for entry in look["detections"] or [])


def became(entry: Facts) -> tuple[str, str]:
    """Return what became of a detection (a word of ``Detected.outcome``) and a sentence of why it is open."""
    judged = own_record.detection({**entry, "path_hash": ""}, entry)
    status = int(entry["status"])
    if judged["active"] is False and judged["action_ok"] is not False and status in STATUS:
        return STATUS[status], ""
    word = _FAILED.get(status) or (STATUS.get(status) if judged["action_ok"] is False else None)
    if word:
        code = int(entry["error"] or 0) & 0xFFFFFFFF
        return "open", f"it could not be {word}" + (f" (0x{code:08x})" if code else "")
    return "open", judged["why"] or "Defender has not acted on it yet"
