# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Antivirus: is there protection, does it run, is it fresh, does it see everything? Presence is never protection."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._antivirus_policy import (
    DEFENDER_LOOKS,
    Facts,
    Policy,
    is_defender,
    product_text,
    protectors,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    Verdict,
    View,
    check,
    count_text,
)

__all__ = ["PARTS", "Policy", "sightings"]


def _unit(engine: Facts) -> str:
    units = engine.get("units") or {}
    return str(next(iter(units), engine["product"]))


@check(
    "antivirus.present",
    title="Malware protection",
    advice="Install an engine, or write down in the policy why this host needs none.",
    needs=("antivirus",),
    thresholds=("required", "not_required_reason"),
    controls=("CIS 10.1", "ISO A.8.7", "NIS2 6.9", "PCI 5.2.1", "SOC 2 CC6.8"),
)
def present(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge whether any engine is there, against what the policy wants."""
    engines = protectors(view)
    if engines:
        yield Verdict("ok", observed=", ".join(product_text(engine) for engine in engines), expected="an engine")
    elif not policy.required and policy.not_required_reason:
        reason = policy.not_required_reason
        yield Verdict("ok", observed=f"none, on purpose: {reason}", expected="none", data={"reason": reason})
    elif not policy.required:
        yield Verdict(
            "watch",
            observed="none, and no reason written down",
            expected="a reason in not_required_reason",
            summary="The policy says that this host needs no antivirus but does not say why.",
            advice="Write the reason into antivirus.not_required_reason; auditors ask for it (PCI 5.2.3).",
        )
    else:
        others = [engine["product"] for engine in view.data("antivirus")["engines"]]
        observed = f"none ({', '.join(others)} only watches)" if others else "none of the known products"
        yield Verdict("act", observed=observed, expected="an engine", summary="Nothing on this host looks for malware.")


@check(
    "antivirus.running",
    title="Antivirus service",
    advice="Find out why it is down before starting it again: somebody or something may have stopped it on purpose.",
    needs=("antivirus",),
    controls=("CIS 10.1", "ISO A.8.7", "NIS2 6.9", "PCI 5.2.1", "SOC 2 CC6.8"),
)
def running(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge every engine; a stopped one beside a running one counts only when it is meant to start."""
    engines = protectors(view)
    alive = [engine for engine in engines if engine["running"]]
    bad: list[Verdict] = []
    for engine in engines:
        units = engine.get("units") or {}
        meant = any(unit["enabled"] in ("enabled", "enabled-runtime") for unit in units.values())
        if engine["running"] or (alive and not meant):
            continue
        if engine["running"] is None:
            bad.append(
                Verdict(
                    "unknown",
                    object=engine["product"],
                    observed=f"processes and {view.command('units', 'services')} could not be seen",
                    expected="running",
                    summary=f"Whether {engine['product']} runs could not be seen.",
                )
            )
            continue
        passed_by = [name for name, unit in units.items() if unit["condition"] is False]
        if passed_by:
            why = f"systemd passes {passed_by[0]} by because a condition of the unit is not met"
            hint = " For ClamAV that means: there is no signature database yet. Run freshclam first." * (
                engine["product"] == "ClamAV"
            )
        else:
            why, hint = f"{view.command('the daemon', 'its service')} is not running", ""
        bad.append(
            Verdict(
                "crit" if meant or not alive else "act",
                object=engine["product"],
                observed=f"{product_text(engine)}: not running" + (" (start condition not met)" if passed_by else ""),
                expected="running",
                summary=f"{engine['product']} is installed but protects nothing: {why}.{hint}",
                command=view.command(
                    f"systemctl status {_unit(engine)}; journalctl -u {_unit(engine)} -n 30 --no-pager",
                    DEFENDER_LOOKS["service"] if is_defender(engine) else f"Get-Service '{_unit(engine)}'",
                ),
            )
        )
    yield from bad
    if alive and not bad:
        yield Verdict("ok", observed=", ".join(product_text(engine) for engine in alive), expected="running")


@check(
    "antivirus.real_time",
    title="Real-time protection",
    advice="Switch real-time protection on, or plan scans by schedule and set real_time_required to false.",
    needs=("antivirus",),
    thresholds=("real_time_required",),
    controls=("CIS 10.1", "ISO A.8.7", "NIS2 6.9", "PCI 5.3.2"),
)
def real_time(view: View, policy: Policy) -> Iterator[Verdict]:
    """One engine must watch files as they are opened; a passive one counts only beside an active one."""
    engines = protectors(view)
    if not engines or not policy.real_time_required:
        return
    on = [engine["product"] for engine in engines if engine["realtime"] == "on" and engine["running"] is not False]
    if on:
        yield Verdict("ok", observed=f"on: {', '.join(on)}", expected="on")
        return
    words = ", ".join(f"{engine['product']}: {engine['realtime']}" for engine in engines)
    if any(engine["realtime"] == "unknown" for engine in engines):
        names = ", ".join(engine["product"] for engine in engines if engine["realtime"] == "unknown")
        yield Verdict(
            "unknown",
            observed=words,
            expected="on",
            summary=f"{names} does not tell this host whether real-time protection is on; ask its console.",
            advice="Look the host up in the product's console.",
        )
        return
    only_clamav = all(engine["product"] == "ClamAV" for engine in engines)
    if only_clamav:
        summary = "ClamAV scans only what it is handed: clamonacc with an OnAccessIncludePath is not running."
        advice = "Set OnAccessIncludePath and start clamav-clamonacc, or scan by schedule and say so in the policy."
    elif any(engine["realtime"] == "passive" for engine in engines):
        summary = "The engine is passive, which is healthy only beside another active engine, and there is none."
        advice = "Take it out of passive mode, or install the engine that it gave way to."
    else:
        summary = "No engine watches files as they are opened: malware runs until the next scan."
        advice = ""
    command = "systemctl status clamav-clamonacc" if only_clamav else view.command("", DEFENDER_LOOKS["real_time"])
    yield Verdict("act" if only_clamav else "crit", "", words, "on", summary, advice, command)


@check(
    "antivirus.degraded",
    title="Antivirus health",
    advice="Update the sensor, or boot the newest kernel that it knows; look again after every kernel update.",
    needs=("antivirus",),
    sources=("mdatp", "mdatp fields", "falconctl", "processes", "/etc/clamav/*", "defender"),
    controls=("CIS 10.7",),
)
def degraded(view: View, policy: Policy) -> Iterator[Verdict]:
    """A sensor in reduced functionality mode sends heartbeats but detects nothing; Defender lists its own issues."""
    healthy: list[str] = []
    for engine in protectors(view):
        product = engine["product"]
        if engine["realtime"] == "degraded":
            reason = engine.get("degraded_reason") or "no reason given"
            summary = f"{product} runs and reports in, but it detects nothing: {reason}."
            command = view.command(
                "sudo /opt/CrowdStrike/falconctl -g --rfm-state --rfm-reason --version; uname -r",
                f"Get-Service '{_unit(engine)}'",
            )
            advice = view.command("", "Update the sensor, and look the host up in the product's console.")
            yield Verdict("crit", product, reason, "full functionality", summary, advice, command)
        elif engine.get("healthy") is False:
            issues = ", ".join(engine.get("health_issues") or []) or "no issue named"
            summary = f"{product} calls itself unhealthy: {issues}."
            command = view.command("sudo mdatp health --details features", DEFENDER_LOOKS["health"])
            advice = view.command("", "Remove what it names, and look the host up in the product's console.")
            yield Verdict("act", product, issues, "healthy", summary, advice, command)
        elif engine.get("onboarded") is False:
            summary = f"{product} is installed but not enrolled: nobody sees what it finds."
            yield Verdict(
                "act", product, "not enrolled", "enrolled", summary, "Enrol the host with the client's package."
            )
        elif off := _parts_off(engine):
            parts = " and ".join(off)
            summary = f"{product} watches files, but {parts} is switched off."
            advice = "Switch it on again, or write down why it is off."
            command = DEFENDER_LOOKS["real_time"]
            yield Verdict("watch", product, f"off: {parts}", "full functionality", summary, advice, command)
        elif engine["running"] and (engine["realtime"] == "on" or engine.get("healthy")):
            healthy.append(product)
    if healthy:
        yield Verdict("ok", observed=", ".join(healthy), expected="full functionality")


def _parts_off(engine: Facts) -> list[str]:
    """Parts of an engine in real time that somebody switched off."""
    if engine["realtime"] != "on" or not engine["running"]:
        return []
    names = {
        "behaviour": "behaviour monitoring",
        "downloads": "the scan of downloads",
        "cloud": "protection by the cloud",
    }
    controls = engine.get("controls") or {}
    return [text for name, text in names.items() if controls.get(name) is False]


@check(
    "antivirus.conflict",
    title="Antivirus conflicts",
    advice="Keep one engine in real time and set the other to passive, or take it off.",
    needs=("antivirus",),
    sources=("mdatp", "mdatp fields"),
)
def conflict(view: View, policy: Policy) -> Iterator[Verdict]:
    """Two engines in real time slow each other down and lock each other's files."""
    engines = protectors(view)
    active = [engine["product"] for engine in engines if engine["realtime"] == "on" and engine["running"] is not False]
    named = view.data("antivirus")["conflicts"]
    # An EDR beside an antivirus is a common and supported pair; two of the same kind are not.
    rivals = [engine["product"] for engine in engines if engine["product"] in active and engine["kind"] == "av"]
    # What is off, passive or stopped is in nobody's way, and one alone neither.
    maybe = [
        engine
        for engine in engines
        if engine["kind"] == "av" and engine["realtime"] in ("on", "unknown") and engine["running"] is not False
    ]
    hidden = [engine["product"] for engine in maybe if len(maybe) > 1 and engine["realtime"] == "unknown"]
    if len(rivals) > 1:
        observed = " and ".join(rivals)
        yield Verdict("act", "", observed, "one in real time", f"{observed} both watch files in real time.")
    elif named:
        summary = f"The engine itself names programs in its way: {', '.join(named)}."
        yield Verdict("watch", "", ", ".join(named), "none", summary)
    elif hidden:
        names = " and ".join(hidden)
        summary = f"Whether {names} watches files in real time could not be seen, and it is not the only engine here."
        yield Verdict("unknown", observed=f"not known of {names}", expected="one in real time at most", summary=summary)
    elif engines:
        yield Verdict("ok", observed=count_text(len(engines), "engine"), expected="one in real time at most")


def sightings(view: View) -> Iterator[tuple[str, str]]:
    """Detections, so that their age is known where the engine keeps none."""
    record = view.probes.get("antivirus")
    if record is not None and record.status == "ok":
        for engine in record.data.get("engines", []):
            for entry in engine.get("detections") or []:
                yield "detection", entry["id"]


# Importing a part registers its checks; here, so that reports show them behind those above.
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks import (  # noqa: E402
    _antivirus_findings,
    _antivirus_upkeep,
)

PARTS = (_antivirus_upkeep, _antivirus_findings)
