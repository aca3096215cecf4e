# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what antivirus work would do on a host, from what it says and what was asked. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping, Sequence

from ansible_collections.keepwell.fleet.plugins.module_utils.antivirus._allowed import DEFAULT_FOLDERS
from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus import defender
from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus.models import Plan, PlannedStep, Targets
from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus.options import Options, Step
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import count_text, duration_text, size_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso

Facts = Mapping[str, t.Any]


def build(
    *,
    client: str,
    run_id: str,
    host: str,
    now: float,
    look: Facts,
    options: Options,
    steps: Sequence[Step],
    splay_s: float,
) -> Plan:
    """Return the plan of a host."""
    left: dict[str, str] = {}
    if look.get("system") == defender.SYSTEM:
        scanner = "defender" if look["engines"]["defender"] else ""
        planned, left = defender.plan(look, options, steps, splay_s)
        warnings = list(defender.warnings(look, options, steps))
        known = defender.count_open(look)
    else:
        clamav = look["engines"]["clamav"]
        scanner = str(clamav["scanner"]) if clamav else ""
        planned = [_step(name, look, options, scanner, splay_s) for name in steps]
        warnings = list(_warnings(look, scanner, steps))
        known = len(look["open"])
    return Plan(
        run_id=run_id,
        client=client,
        host=host,
        made_at=iso(now),
        scanner=scanner,
        steps=planned,
        left=left,
        targets=_targets(look["targets"], options) if look["targets"] else None,
        open_detections=known,
        in_quarantine=len(look["quarantined"]),
        splay_s=splay_s if any(step.name == "update" for step in planned) else 0.0,
        warnings=warnings,
    )


def _targets(found: Facts, options: Options) -> Targets:
    return Targets(
        paths=list(options.scan_paths),
        files=found["files"],
        bytes=found["bytes"],
        whole=found["whole"],
        left_out=dict(found["left_out"]),
        largest_bytes=found["largest_bytes"],
        minutes=options.scan_limits.minutes,
        cpu_percent=options.scan_limits.cpu_percent,
    )


def _step(name: Step, look: Facts, options: Options, scanner: str, splay_s: float) -> PlannedStep:
    says: dict[Step, Callable[[], tuple[str, str]]] = {
        "update": lambda: _update(look, splay_s),
        "repair": lambda: _repair(look),
        "scan": lambda: _scan(look, options, scanner),
        "quarantine": lambda: _quarantine(look, options, scanner),
        "rescan": lambda: ("Look again at every place in which something was found", "" if scanner else "no_scanner"),
        "restore": lambda: _restore(look, options),
    }
    text, code = says[name]()
    return PlannedStep(name=name, text=text, ready=not code, code=code)


def _update(look: Facts, splay_s: float) -> tuple[str, str]:
    clamav = look["engines"]["clamav"]
    if not clamav and not look["engines"]["mdatp"]:
        return "No product whose definitions Keepwell can update is installed", "no_engine"
    ways = []
    if clamav:
        daily = clamav["databases"].get("daily")
        known = f"version {daily['version']} on disk" if daily else "none on disk"
        known += f", {clamav['loaded']} loaded" if clamav["loaded"] else ""
        way = "ask freshclam's daemon to look now" if clamav["updater"] else "fetch with freshclam"
        ways.append(f"ClamAV ({known}): {way}")
    if look["engines"]["mdatp"]:
        ways.append("Defender for Endpoint: mdatp definitions update")
    wait = f", after {duration_text(splay_s)}" if splay_s >= 1 else ""
    return "; ".join(ways) + wait, ""


def _repair(look: Facts) -> tuple[str, str]:
    start = sorted(unit for unit, against in look["stopped"].items() if not against)
    left = [f"{unit} stays down: {against}" for unit, against in sorted(look["stopped"].items()) if against]
    text = f"Start {', '.join(start)}" if start else "Nothing that is meant to run is down"
    return "; ".join([text, *left]), ""


def _scan(look: Facts, options: Options, scanner: str) -> tuple[str, str]:
    if not scanner:
        return "ClamAV is not installed, or has no scanner", "no_scanner"
    found = look["targets"]
    at_least = "" if found["whole"] else "at least "
    limits = options.scan_limits
    return (
        f"Scan {at_least}{count_text(found['files'], 'file')} ({size_text(found['bytes'])}) below "
        f"{', '.join(options.scan_paths)}, for {limits.minutes:g} minutes at most and with {limits.cpu_percent} % of a "
        "processor"
    ), ""


def _quarantine(look: Facts, options: Options, scanner: str) -> tuple[str, str]:
    if not scanner:
        return "Without a scanner nothing can be confirmed, so nothing is moved", "no_scanner"
    folders = ", ".join(options.quarantine_folders or DEFAULT_FOLDERS)
    archives = "archives as a whole, too" if options.archives == "quarantine" else "archives are left in place"
    known = [entry for entry in look["open"] if entry["state"] == "open"]
    return f"Move what is found below {folders} ({archives}); {count_text(len(known), 'detection')} known so far", ""


def _restore(look: Facts, options: Options) -> tuple[str, str]:
    entry = next((entry for entry in look["quarantined"] if entry["id"] == options.restore), None)
    if entry is None:
        return f"There is nothing in quarantine here with the id {options.restore}", "not_in_quarantine"
    path = entry["path"] if options.paths == "shown" else "a file"
    return f"Put back {path} ({entry['signature']}, {size_text(entry['size'])}, of {entry['owner']})", ""


def _warnings(look: Facts, scanner: str, steps: Sequence[str]) -> t.Iterator[str]:
    if scanner == "clamscan" and "scan" in steps:
        yield (
            "clamd does not answer, so the scanner loads all signatures for itself: with ClamAV's own databases that "
            "takes 1.5 GB of memory and half a minute before the first file"
        )
    if look["ledger"]:
        yield f"What is known of former detections cannot be used: {look['ledger']}"
    if look["lock"]:
        yield f"Keepwell is at work on this host: {look['lock']}"


def headline(plan: Plan) -> str:
    """Return the plan in one line."""
    if not plan.steps and plan.left:
        return left_text(plan)
    if not plan.steps:
        return "nothing was asked for (antivirus_update, antivirus_repair, antivirus_scan, antivirus_quarantine)"
    against = [step.name for step in plan.steps if not step.ready]
    words = ", ".join(step.name for step in plan.steps if step.name != "rescan")
    return words + (f"; not possible: {', '.join(against)}" if against else "")


def left_text(plan: Plan) -> str:
    """Return what was asked for and this host has no use for, each reason once."""
    reasons: dict[str, list[str]] = {}
    for name, why in plan.left.items():
        reasons.setdefault(why, []).append(name)
    return "; ".join(f"{', '.join(names)}: {why}" for why, names in reasons.items())
