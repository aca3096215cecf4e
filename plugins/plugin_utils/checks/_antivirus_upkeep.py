# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Antivirus, kept up: definitions, updates, versions, licences, and scans."""

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
    DAY,
    State,
    Verdict,
    View,
    check,
    duration_text,
)

# What Defender reports for "never": the largest 32-bit and 16-bit numbers of days.
NEVER_DAYS = (4294967295, 65535)


@check(
    "antivirus.definitions",
    title="Malware definitions",
    advice="Update the definitions and check afterwards that the version really changed.",
    needs=("antivirus",),
    sources=("mdatp", "mdatp fields", "defender"),
    thresholds=("definitions_watch_days", "definitions_crit_days", "definitions_fail_days"),
    controls=("CIS 10.2", "ISO A.8.7", "NIS2 6.9", "PCI 5.3.1"),
)
def definitions(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge the age of what every engine has on disk, and that it has loaded just that."""
    fresh: list[str] = []
    bad: list[Verdict] = []
    for engine in protectors(view):
        facts = engine["definitions"]
        if facts is None:
            continue
        product = engine["product"]
        look = "clamdscan --version; ls -l --time-style=full-iso /var/lib/clamav" if product == "ClamAV" else ""
        look = DEFENDER_LOOKS["definitions"] if is_defender(engine) else look
        updated_at, loaded = facts["updated_at"], facts["loaded_version"]
        if updated_at is None or updated_at > view.now + DAY:
            when = "build time lies in the future" if updated_at else "no definitions could be read"
            summary = f"How old the definitions of {product} are could not be told: {when}."
            bad.append(Verdict("unknown", product, when, "definitions with a date", summary, command=look))
            continue
        age = max(0.0, view.now - updated_at)
        behind = str(loaded).isdigit() and str(facts["version"]).isdigit() and int(loaded) < int(facts["version"])
        if age > policy.definitions_watch_days * DAY:
            bad.append(_old(product, facts, age, policy, look))
        elif behind:
            bad.append(
                Verdict(
                    "act",
                    object=product,
                    observed=f"loaded {loaded}, on disk {facts['version']}",
                    expected="the version on disk",
                    summary=f"{product} works with old definitions: a newer version is on disk but not loaded.",
                    advice="Reload the daemon (clamdscan --reload) and look into its log if the version stays.",
                    command=look,
                    data=dict(facts),
                )
            )
        else:
            fresh.append(f"{product} {facts['version'] or ''} from {duration_text(age)} ago")
    yield from bad
    if fresh and not bad:
        limit = duration_text(policy.definitions_watch_days * DAY)
        yield Verdict("ok", observed=", ".join(fresh), expected=f"not older than {limit}")


def _old(product: str, facts: Facts, age: float, policy: Policy, look: str) -> Verdict:
    late = age > policy.definitions_fail_days * DAY
    state: State = "crit" if age > policy.definitions_crit_days * DAY else "watch"
    over = " That is past the hard limit that auditors use." if late else ""
    return Verdict(
        state,
        object=product,
        observed=f"version {facts['version']}, {duration_text(age)} old",
        expected=f"not older than {duration_text(policy.definitions_watch_days * DAY)}",
        summary=f"The definitions of {product} are {duration_text(age)} old; newer malware is not recognised.{over}",
        command=look,
        since=facts["updated_at"],
        age_basis="build time of the definitions",
        deadline=facts["updated_at"] + policy.definitions_fail_days * DAY,
        data=dict(facts),
    )


@check(
    "antivirus.updates",
    title="Automatic updates of definitions",
    advice="Start the updater; if the server refuses this host, use a mirror of your own and do not try more often.",
    needs=("antivirus",),
    sources=("freshclam log",),
    controls=("CIS 10.2", "PCI 5.3.1"),
)
def updates(view: View, policy: Policy) -> Iterator[Verdict]:
    """ClamAV's updater: does it run, and was it turned away?"""
    for engine in protectors(view):
        updater = engine.get("updater")
        if updater is None:
            continue
        look = "sudo tail -n 20 /var/log/clamav/freshclam.log"
        last = updater["last_lines"][-1] if updater["last_lines"] else ""
        if updater["refused"]:
            observed = f"refused with {updater['refused']}"
            word = "too many requests" if updater["refused"] == 429 else "forbidden"
            summary = f"The server of ClamAV's definitions turns this host away ({updater['refused']}, {word})."
            yield Verdict("act", engine["product"], observed, "updates arrive", summary, command=look)
        elif updater["running"] or updater["timer"]:
            how = "freshclam runs" if updater["running"] else "timer clamav-freshclam-once"
            yield Verdict("ok", observed=how, expected="updates by themselves")
        elif updater["running"] is None:
            yield Verdict("unknown", engine["product"], "processes are hidden", "freshclam runs or has a timer")
        else:
            summary = "Nothing fetches new definitions for ClamAV: freshclam does not run and has no timer."
            masked = (engine.get("units") or {}).get("clamav-freshclam.service", {}).get("enabled") == "masked"
            observed = "freshclam is masked" if masked else "freshclam is not running"
            command = "systemctl status clamav-freshclam"
            yield Verdict(
                "act", engine["product"], observed, "updates by themselves", summary, "", command, data={"last": last}
            )


@check(
    "antivirus.engine",
    title="Antivirus engine version",
    advice="Update the engine: old ones stop loading new definitions.",
    needs=("antivirus",),
    sources=("freshclam log", "mdatp", "mdatp fields", "defender"),
)
def engine_version(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge what the engine or its updater says of its own version."""
    for engine in protectors(view):
        recommended = (engine.get("updater") or {}).get("recommended_version")
        if engine["platform_supported"] is False:
            summary = f"{product_text(engine)} is no longer supported by its maker."
            yield Verdict("act", engine["product"], product_text(engine), "a supported version", summary)
        elif recommended and recommended != engine["version"]:
            summary = f"ClamAV's updater calls {engine['version']} outdated and recommends {recommended}."
            yield Verdict("watch", engine["product"], str(engine["version"]), str(recommended), summary)
        elif engine["platform_supported"] or (engine["version"] and (engine.get("updater") or {}).get("last_lines")):
            yield Verdict("ok", engine["product"], product_text(engine), "no newer version asked for")


@check(
    "antivirus.licence",
    title="Antivirus licence",
    advice="Renew the subscription before it ends: most engines stop updating on that day.",
    needs=("antivirus",),
    sources=("mdatp", "mdatp fields"),
    thresholds=("licence_watch_days", "licence_act_days", "licence_crit_days"),
)
def licence(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge what engines say of their licence."""
    for engine in protectors(view):
        product, ends = engine["product"], engine["licence_expires"]
        if engine.get("licensed") is False:
            summary = f"{product} has no valid licence: it may run without updating."
            yield Verdict("act", product, "not licensed", "licensed", summary)
        elif ends is not None:
            left = (ends - view.now) / DAY
            states: list[tuple[float, State]] = [
                (policy.licence_crit_days, "crit"),
                (policy.licence_act_days, "act"),
                (policy.licence_watch_days, "watch"),
            ]
            state: State = next((state for days, state in states if left < days), "ok")
            words = f"ended {duration_text(left * DAY)} ago" if left < 0 else f"ends in {duration_text(left * DAY)}"
            summary = "" if state == "ok" else f"The subscription of {product} {words}."
            expected = f"more than {policy.licence_watch_days:g} days"
            yield Verdict(state, product, words, expected, summary, deadline=ends)


def scan_age(engine: Facts, kind: str, now: float) -> float | None:
    """Seconds since the last ``full`` or ``quick`` scan; infinity for "never", None for "not known".

    Defender's numbers for "never" are 4294967295 or 65535 days, or a date in the year 1600.
    """
    last, days = engine.get(f"last_{kind}"), engine.get(f"{kind}_scan_age_days")
    if last == "never" or days in NEVER_DAYS or (isinstance(last, (int, float)) and last <= 0):
        return float("inf")
    if isinstance(last, (int, float)):
        return max(0.0, now - last)
    return None if days is None else float(days) * DAY


def _is_never_asked(engine: Facts) -> bool:
    """True for ClamAV where nothing watches files as they are opened and no scan of Keepwell's is known."""
    known = engine.get("last_quick") is not None or engine.get("last_full") is not None
    return engine["product"] == "ClamAV" and engine["realtime"] != "on" and not known


@check(
    "antivirus.scans",
    title="Malware scans",
    advice="Start the scan that is due, outside business hours, and find out why the schedule did not.",
    needs=("antivirus",),
    sources=("ledger", "mdatp", "mdatp fields", "defender"),
    controls=("ISO A.8.7", "PCI 5.3.2"),
    thresholds=("quick_scan_days", "full_scan_days"),
)
def scans(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge the age of scans where a record of them is kept: by the engine, or by Keepwell's own scans for ClamAV."""
    fine: list[str] = []
    bad: list[Verdict] = []
    for engine in protectors(view):
        if _is_never_asked(engine):
            hidden = view.record("antivirus").denied("ledger")
            observed = "the record may not be read by this user" if hidden else "no scan is on record"
            summary = f"{engine['product']} keeps no record of scans, and Keepwell has made none here: {observed}."
            bad.append(Verdict("unknown", engine["product"], observed, "scans on schedule", summary))
        for kind, days in (("quick", policy.quick_scan_days), ("full", policy.full_scan_days)):
            age = scan_age(engine, kind, view.now)
            if age is None:
                continue
            words = f"{kind} scan {'never' if age == float('inf') else duration_text(age) + ' ago'}"
            if age <= days * DAY:
                fine.append(words)
                continue
            summary = f"{engine['product']}: {words}; due every {days:g} days."
            look = DEFENDER_LOOKS["scans"] if is_defender(engine) else ""
            name = f"{engine['product']} {kind}"
            bad.append(Verdict("watch", name, words, f"within {days:g} days", summary, command=look))
    yield from bad
    if fine and not bad:
        yield Verdict("ok", observed=", ".join(fine), expected="on schedule")
