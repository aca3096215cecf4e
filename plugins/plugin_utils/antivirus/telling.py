# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: antivirus work in single lines, for reports and tables. Pure."""

from __future__ import annotations

import gettext
from collections.abc import Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus.models import (
    AntivirusChange,
    Definitions,
    Detected,
    ScanCounts,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.wording import binary_size

ENGLISH = gettext.NullTranslations()


def definitions_line(entry: Definitions, texts: gettext.NullTranslations = ENGLISH) -> str:
    """Return what became of the definitions of one engine."""
    told = texts.gettext("{engine} {result}: {before} -> {after} on disk, {old} -> {new} loaded; {text}")
    none = texts.gettext("none")
    return told.format(
        engine=entry.engine,
        result=entry.result,
        before=entry.disk_before or none,
        after=entry.disk_after or none,
        old=entry.loaded_before or none,
        new=entry.loaded_after or none,
        text=entry.text,
    )


def scan_line(counts: ScanCounts, texts: gettext.NullTranslations = ENGLISH) -> str:
    """Return what a scan went over."""
    parts = [
        texts.ngettext("{n} file ({size})", "{n} files ({size})", counts.files).format(
            n=counts.files, size=binary_size(texts, counts.bytes)
        ),
        texts.gettext("{n} with finds").format(n=counts.found),
        texts.gettext("{n} not readable").format(n=counts.errors),
        texts.gettext("{n} without an answer").format(n=counts.unanswered),
        *(f"{number} {reason}" for reason, number in sorted(counts.skipped.items())),
        texts.ngettext("{n} folder left out", "{n} folders left out", len(counts.left_out)).format(
            n=len(counts.left_out)
        ),
    ]
    told = f"{counts.scanner}: {', '.join(parts)}"
    if counts.whole:
        return told
    where = counts.reached or texts.gettext("the beginning")
    return told + texts.gettext("; not all: the time was over at {where}").format(where=where)


def detected_line(entry: Detected, texts: gettext.NullTranslations = ENGLISH) -> str:
    """Return what became of one file."""
    where = entry.path or entry.id
    if entry.outcome == "quarantined":
        told = texts.gettext("{where}: {name}, in quarantine as {id}")
        return told.format(where=where, name=entry.name, id=entry.quarantine_id)
    told = texts.gettext("{where}: {name}, {outcome} in place: {text}")
    return told.format(where=where, name=entry.name, outcome=entry.outcome, text=entry.text)


def antivirus_facts(texts: gettext.NullTranslations, found: AntivirusChange) -> list[tuple[str, Sequence[str]]]:
    """Return what only antivirus work has, as label and lines of a report."""
    gettext_ = texts.gettext
    return [
        (gettext_("Definitions"), [definitions_line(entry, texts) for entry in found.definitions]),
        (gettext_("Scanned"), [scan_line(found.scan, texts)] if found.scan else []),
        (gettext_("Looked at again"), [scan_line(found.rescan, texts)] if found.rescan else []),
        (gettext_("Detections"), [detected_line(entry, texts) for entry in found.detections]),
        (gettext_("Detections that are over"), found.cleared),
        (gettext_("Not readable"), found.scan.unreadable if found.scan else []),
        (gettext_("Services of antivirus"), [f"{unit}: {text}" for unit, text in found.repaired.items()]),
        (gettext_("Put back"), [entry.path or entry.quarantine_id for entry in found.restored]),
    ]
