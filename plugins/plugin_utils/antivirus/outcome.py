# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what a host tells of its antivirus work, as the change record keeps it. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus import defender
from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus.models import (
    AntivirusChange,
    Definitions,
    Detected,
    DetectionState,
    Restored,
    ScanCounts,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import count_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso

Facts = Mapping[str, t.Any]


def change(state: Facts, *, shown: bool) -> AntivirusChange:
    """Return the typed part of a record; paths only where the client lets them be told (``shown``)."""
    results: Facts = state.get("results") or {}
    update, scan, rescan = (results.get(name) or {} for name in ("update", "scan", "rescan"))
    units: Facts = (results.get("repair") or {}).get("units") or {}
    quarantine: Facts = results.get("quarantine") or {}
    restored = (results.get("restore") or {}).get("restored")
    new, over = defender.compare(scan.get("before") or [], scan.get("after") or [])
    return AntivirusChange(
        steps=list(state.get("steps") or []),
        definitions=[_definitions(entry) for entry in update.get("engines") or []],
        scan=_counts(scan, shown=shown),
        rescan=_counts(rescan, shown=shown),
        detections=[
            *(_taken(entry, shown=shown) for entry in quarantine.get("taken") or []),
            *(_left(entry, shown=shown) for entry in quarantine.get("left") or []),
            *(_by_defender(entry, shown=shown) for entry in new),
        ],
        cleared=[*(rescan.get("closed") or []), *over],
        repaired={unit: f"{answer['result']}: {answer['text']}" for unit, answer in sorted(units.items())},
        evidence={unit: answer["evidence"] for unit, answer in sorted(units.items()) if answer["evidence"]},
        restored=[_restored(restored, shown=shown)] if restored else [],
    )


def _definitions(entry: Facts) -> Definitions:
    before, after = entry["before"], entry["after"]
    built = after.get("disk_built_at")
    return Definitions(
        engine=entry["engine"],
        result=entry["result"],
        text=entry["text"],
        disk_before=before["disk"],
        disk_after=after["disk"],
        loaded_before=before["loaded"],
        loaded_after=after["loaded"],
        built_at=iso(built) if built else None,
    )


def _counts(entry: Facts, *, shown: bool) -> ScanCounts | None:
    if "files" not in entry:
        return None
    known = {name: entry[name] for name in ScanCounts.model_fields if name in entry}
    if not shown:
        known.update(reached="(not told)" if entry.get("reached") else None, unreadable=[], large=[])
    return ScanCounts.model_validate(known)


def _taken(entry: Facts, *, shown: bool) -> Detected:
    return Detected(
        id=entry["id"],
        name=entry["signature"],
        path=entry["path"] if shown else "",
        outcome="quarantined",
        quarantine_id=entry["quarantine_id"],
        sha256=entry["sha256"],
        size=entry["size"],
        owner=entry["owner"] if shown else "",
        mode=entry["mode"],
        folder=entry["folder"],
    )


def _left(entry: Facts, *, shown: bool) -> Detected:
    path = entry["path"] if shown else ""
    return Detected(
        id=entry["id"], name=entry["name"], path=path, outcome="left", code=entry["code"], text=entry["text"]
    )


def _by_defender(entry: Facts, *, shown: bool) -> Detected:
    """What Defender found and did by itself, as its own record tells it."""
    outcome, why = defender.became(entry)
    path = next(iter(entry["resources"]), "") if shown else ""
    return Detected(
        id=entry["id"],
        name=entry["name"],
        path=path,
        outcome=t.cast(t.Any, outcome),
        by="" if outcome == "open" else "Defender",
        text=why,
    )


def _restored(entry: Facts, *, shown: bool) -> Restored:
    return Restored(
        quarantine_id=entry["id"],
        path=entry["path"] if shown else "",
        sha256=entry["sha256"],
        size=entry["size"],
        owner=entry["owner"] if shown else "",
        mode=entry["mode"],
        signature=entry["signature"],
    )


def sentence(record: ChangeRecord) -> str:
    """Return what was done, in one sentence for a person."""
    found = record.antivirus
    if found is None:
        return "nothing is known of what was done"
    parts = [f"definitions of {entry.engine} {entry.result}" for entry in found.definitions]
    started = [unit for unit, text in found.repaired.items() if text.startswith("started")]
    parts += [f"started {', '.join(started)}"] if started else []
    if found.scan and found.scan.files is not None:
        parts.append(f"{count_text(found.scan.files, 'file')} scanned, {found.scan.found} with finds")
    elif found.scan:
        parts.append(f"{found.scan.scanner}, {count_text(found.scan.found, 'new detection')}")
    taken = sum(entry.outcome == "quarantined" and not entry.by for entry in found.detections)
    by_engine = [entry for entry in found.detections if entry.by]
    if by_engine:
        words = sorted({entry.outcome for entry in by_engine})
        parts.append(f"{len(by_engine)} {' or '.join(words)} by {by_engine[0].by}")
    left = sum(entry.outcome == "left" for entry in found.detections)
    if taken or left:
        parts.append(f"{taken} in quarantine, {left} left in place")
    parts += [f"{count_text(len(found.cleared), 'detection')} over"] if found.cleared else []
    parts += [f"put back {entry.path or entry.quarantine_id}" for entry in found.restored]
    return "; ".join(parts) or "nothing was to be done"


def residual(record: ChangeRecord) -> list[str]:
    """Return what was asked for and is still open."""
    lines = [f"{step.name}: {step.text}" for step in record.steps if step.outcome == "skipped"]
    found = record.antivirus
    if found is None:
        return lines
    lines += [
        f"{entry.path or entry.id}: {entry.name}, left in place: {entry.text}"
        for entry in found.detections
        if entry.outcome == "left"
    ]
    lines += [
        f"{entry.path or entry.id}: {entry.name}, open: {entry.text}"
        for entry in found.detections
        if entry.outcome == "open"
    ]
    if found.scan and found.scan.files is None and not found.scan.whole:
        lines.append("scan: the time was over and it was ended; the next one begins anew")
    elif found.scan and not found.scan.whole:
        lines.append(f"scan: the time was over at {found.scan.reached or 'the beginning'}; the next one goes on there")
    return lines


def states(observation: Facts) -> Iterable[DetectionState]:
    """Yield every detection that the host's engines know of, from an observation."""
    probe = (observation.get("probes") or {}).get("antivirus") or {}
    for engine in (probe.get("data") or {}).get("engines") or []:
        for entry in engine.get("detections") or []:
            yield DetectionState(
                id=entry["id"],
                name=entry["name"],
                product=engine["product"],
                first_seen=_iso(entry.get("first_seen")),
                last_change=_iso(entry.get("last_change")),
                state=_state(entry),
                acted=entry.get("acted") or "",
                why=entry.get("why") or "",
                path_hash=entry.get("path_hash") or "",
            )


def _iso(seconds: float | None) -> str | None:
    return iso(seconds) if seconds else None


def _state(entry: Facts) -> t.Literal["open", "acted", "cleared", "unknown"]:
    if entry.get("active") is None:
        return "unknown"
    if entry["active"]:
        return "acted" if entry.get("acted") else "open"
    return "cleared"
