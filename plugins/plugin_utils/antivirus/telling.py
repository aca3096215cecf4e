# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: antivirus work in single lines, for reports and tables. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus.models import (
    AntivirusChange,
    Definitions,
    Detected,
    ScanCounts,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import count_text, size_text


def definitions_line(entry: Definitions) -> str:
    """Return what became of the definitions of one engine."""
    disk = f"{entry.disk_before or 'none'} -> {entry.disk_after or 'none'} on disk"
    known = entry.loaded_before or entry.loaded_after or entry.engine == "ClamAV"
    loaded = f", {entry.loaded_before or 'none'} -> {entry.loaded_after or 'none'} loaded" if known else ""
    return f"{entry.engine} {entry.result}: {disk}{loaded}; {entry.text}"


def scan_line(counts: ScanCounts) -> str:
    """Return what a scan went over."""
    if counts.files is None:
        cut = "" if counts.whole else "; the time was over and it was ended"
        return f"{counts.scanner}: {count_text(counts.found, 'new detection')}; files are not counted by it{cut}"
    parts = [
        f"{counts.files} files ({size_text(counts.bytes or 0)})",
        f"{counts.found} with finds",
        f"{counts.errors} not readable",
        f"{counts.unanswered} without an answer",
        *(f"{number} {reason}" for reason, number in sorted(counts.skipped.items())),
        f"{len(counts.left_out)} folders left out",
    ]
    end = "" if counts.whole else f"; not all: the time was over at {counts.reached or 'the beginning'}"
    return f"{counts.scanner}: {', '.join(parts)}{end}"


def detected_line(entry: Detected) -> str:
    """Return what became of one file."""
    where = entry.path or entry.id
    if entry.by:
        return f"{where}: {entry.name}, {entry.outcome} by {entry.by}"
    if entry.outcome == "quarantined":
        return f"{where}: {entry.name}, in quarantine as {entry.quarantine_id}"
    return f"{where}: {entry.name}, {entry.outcome} in place: {entry.text}"


def antivirus_facts(gettext_: Callable[[str], str], found: AntivirusChange) -> list[tuple[str, Sequence[str]]]:
    """Return what only antivirus work has, as label and lines of a report."""
    return [
        (gettext_("Definitions"), [definitions_line(entry) for entry in found.definitions]),
        (gettext_("Scanned"), [scan_line(found.scan)] if found.scan else []),
        (gettext_("Looked at again"), [scan_line(found.rescan)] if found.rescan else []),
        (gettext_("Detections"), [detected_line(entry) for entry in found.detections]),
        (gettext_("Detections that are over"), found.cleared),
        (gettext_("Not readable"), found.scan.unreadable if found.scan else []),
        (gettext_("Services of antivirus"), [f"{unit}: {text}" for unit, text in found.repaired.items()]),
        (gettext_("Put back"), [entry.path or entry.quarantine_id for entry in found.restored]),
    ]
