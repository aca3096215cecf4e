# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Antivirus: what was found and what became of it, and what nobody looks at because it is excluded."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._antivirus_exclusions import risk
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._antivirus_policy import (
    DEFENDER_LOOKS,
    Facts,
    Policy,
    is_defender,
    protectors,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    HOUR,
    Verdict,
    View,
    check,
    count_text,
    duration_text,
)

_CLAMAV_LOOK = "sudo grep FOUND /var/log/clamav/clamav.log | tail"
_LEDGER_LOOK = "sudo cat /var/lib/keepwell/antivirus/ledger.json"


@check(
    "antivirus.detections",
    title="Malware detections",
    advice="Do not just delete it: keep the host as it is, find out how it came in, then clean up.",
    needs=("antivirus",),
    sources=("/etc/clamav/*", "clamd log", "ledger", "mdatp", "defender detections", "defender threats"),
    thresholds=("detection_open_hours",),
    controls=("ISO A.8.7", "NIS2 6.9", "SOC 2 CC6.8"),
)
def detections(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge detections that are open, or whose end no record shows (ClamAV itself keeps none)."""
    looked, hidden, over, silent = False, [], 0, False
    bad: list[Verdict] = []
    for engine in protectors(view):
        if engine["detections"] is None:
            hidden.append(engine["product"])
            silent = silent or _is_silent(engine)
            continue
        looked = True
        for entry in engine["detections"]:
            if entry["active"] is False and entry["action_ok"] is not False:
                over += 1
            else:
                bad.append(_open(engine, entry, view, policy))
    yield from bad
    record = view.record("antivirus")
    lost = record.denied("clamd log", "ledger", "mdatp", "defender detections")
    if not bad and hidden and (lost or silent):
        yield Verdict("unknown", observed=f"{', '.join(hidden)}: log not readable", expected="none open")
    elif not bad and looked:
        observed = f"none open, {count_text(over, 'detection')} over" if over else "none in the engine's record"
        yield Verdict("ok", observed=observed, expected="none open")


def _is_silent(engine: Facts) -> bool:
    """True for a Defender that protects the host: what it does not tell is unknown, not without meaning."""
    return is_defender(engine) and bool(engine["running"]) and engine["realtime"] != "passive"


def _open(engine: Facts, entry: Facts, view: View, policy: Policy) -> Verdict:
    since = entry["first_seen"] or view.history.first_seen("detection", entry["id"])
    age = view.now - since if since else 0.0
    late = age > policy.detection_open_hours * HOUR
    acted, why = entry.get("acted"), entry.get("why")
    if acted:
        ended = f"; the file is {acted}, and its place was not looked at again yet"
    elif why:
        ended = f"; the file was left in place: {why}"
    else:
        ended = "; no record shows what became of the file" if entry["active"] is None else ""
    look = _LEDGER_LOOK if "acted" in entry else _CLAMAV_LOOK
    return Verdict(
        "crit" if late or entry["action_ok"] is False else "act",
        object=entry["id"],
        observed=f"{entry['name']}, open for {duration_text(age)}" if since else f"{entry['name']}, new",
        expected="none open",
        summary=f"{engine['product']} found {entry['name']}{ended}.",
        command=look if engine["product"] == "ClamAV" else DEFENDER_LOOKS["detections"] if is_defender(engine) else "",
        since=since,
        age_basis="first seen by the engine" if entry["first_seen"] else "first seen by Keepwell",
    )


@check(
    "antivirus.exclusions",
    title="Antivirus exclusions",
    advice="Exclude single files or a program's own folder instead, and write down why.",
    needs=("antivirus",),
    sources=("/etc/clamav/*", "mdatp", "defender preference"),
    thresholds=("exclusions_accepted",),
    controls=("CIS 10.1",),
)
def exclusions(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge what engines pass by: whole trees in which users write, kinds of files, and interpreters are a way in."""
    known: list[str] = []
    for engine in protectors(view):
        if engine.get("exclusions") is None:
            if _is_silent(engine):
                summary = f"What {engine['product']} passes by is not shown to this user, or could not be read."
                yield Verdict("unknown", engine["product"], "exclusions not readable", "nothing too wide", summary)
            continue
        known += engine["exclusions"]
        for entry in sorted(set(engine["exclusions"]) - set(policy.exclusions_accepted)):
            why = risk(entry, windows=view.windows)
            if why:
                summary = f"{engine['product']} passes by {entry}: {why}."
                yield Verdict("act", f"{engine['product']} {entry}", entry, "nothing that wide", summary)
    if known and not any(
        risk(entry, windows=view.windows) for entry in known if entry not in policy.exclusions_accepted
    ):
        yield Verdict("ok", observed=count_text(len(known), "exclusion"), expected="nothing too wide")
