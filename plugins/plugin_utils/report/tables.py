# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: CSV: one row a result, one row an open finding. Safe to open in a spreadsheet. Pure.

``plain`` is for programs: comma, point, UTF-8. ``excel_eu`` is for a double click in much of Europe, where Excel takes
the comma for the decimal sign: semicolon, decimal comma, and a mark by which Excel knows UTF-8. Dates are ISO in both.
"""

from __future__ import annotations

import csv
import functools
import io
import typing as t
from collections.abc import Iterable, Iterator, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus.models import AntivirusChange
from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus.telling import (
    definitions_line,
    detected_line,
    scan_line,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord, Version
from ansible_collections.keepwell.fleet.plugins.plugin_utils.counting import OPEN_STATES
from ansible_collections.keepwell.fleet.plugins.plugin_utils.exports.formats import Dialect
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import DatasetSummary
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import of_windows
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import Desk

# A spreadsheet runs a cell that begins so. https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = frozenset("=+-@\t\r\n\0＝＋－＠")  # noqa: RUF001 - full width forms run too

RESULT_COLUMNS = (
    "client",
    "run_id",
    "host",
    "groups",
    "reached",
    "measured_at",
    "check",
    "pillar",
    "title",
    "state",
    "observed",
    "findings",
)
FINDING_COLUMNS = (
    "key", "client", "run_id", "host", "check", "pillar", "title", "object", "state", "observed", "expected", "summary",
    "advice", "command", "first_seen", "since", "age_basis", "deadline", "controls",
)  # fmt: skip
CHANGE_COLUMNS = (
    "client", "run_id", "host", "chore", "ring", "outcome", "code", "text", "started_at", "ended_at", "lane", "window",
    "approver", "ticket", "packages", "advisories", "cves", "reboot_required", "reboot_done", "kernel_before",
    "kernel_after", "services", "differences", "findings_new", "half_done", "config_files", "residual", "rollback",
    "plan_hash", "transaction", "begun_by", "definitions", "scan", "detections", "detections_over", "repaired",
    "restored", "predicted_bytes", "freed_bytes", "cleanup_rules", "gap_reasons",
)  # fmt: skip
BACKUP_COLUMNS = (
    "client", "run_id", "host", "dataset", "protects", "tool", "verifier", "repository_key", "freshness",
    "completeness", "integrity", "restorability", "survivability", "proven", "reason", "looked_at", "data_age_s",
    "rpo_s", "tested_kind", "tested_at", "tested_outcome", "proven_kind", "proven_at", "read_percent", "read_all_days",
    "rto_estimate_s", "rto_target_s", "next_kind", "next_due", "restored_paths", "never_restored",
)  # fmt: skip


def results_csv(desk: Desk, dialect: Dialect = "plain") -> bytes:
    """Return every counted result: these rows add up to the counts of the run."""
    run = desk.run
    rows = (
        (
            run.header.client.id,
            run.header.run_id,
            host.host,
            " ".join(host.groups),
            "yes" if host.contact.reached else "no",
            host.collected_at or "",
            result.check,
            desk.checks[result.check].pillar if result.check in desk.checks else "",
            desk.title(result.check),
            result.state,
            result.observed,
            len(result.findings),
        )
        for host in run.hosts
        for result in host.results
    )
    return sheet(RESULT_COLUMNS, rows, dialect)


def findings_csv(desk: Desk, dialect: Dialect = "plain") -> bytes:
    """Return every open finding with what is needed to work on it."""
    run = desk.run
    rows = []
    for host in run.hosts:
        for result in host.results:
            info = desk.checks.get(result.check)
            for finding in result.findings:
                if finding.state not in OPEN_STATES:
                    continue
                rows.append(
                    (
                        finding.key,
                        run.header.client.id,
                        run.header.run_id,
                        host.host,
                        result.check,
                        info.pillar if info else "",
                        desk.title(result.check),
                        finding.object,
                        finding.state,
                        finding.observed,
                        finding.expected,
                        finding.summary,
                        finding.advice or (info.advice if info else ""),
                        finding.command,
                        finding.first_seen,
                        finding.since or "",
                        finding.age_basis,
                        finding.deadline or "",
                        " ".join(info.controls) if info else "",
                    )
                )
    return sheet(FINDING_COLUMNS, rows, dialect)


def changes_csv(desk: Desk, dialect: Dialect = "plain") -> bytes:
    """Return every change with what was done; several things in one cell are set apart by semicolons."""
    return sheet(CHANGE_COLUMNS, (_change(record) for record in desk.run.changes), dialect)


def _version(entry: Version) -> str:
    if entry.update_id:
        return of_windows(entry.name, entry.title, entry.after or "?")
    return f"{entry.name} {entry.before or '-'} -> {entry.after or '-'}"


def _change(record: ChangeRecord) -> tuple[t.Any, ...]:
    reboot = record.reboot
    return (
        record.client,
        record.run_id,
        record.host,
        record.chore,
        record.ring or "",
        record.outcome,
        record.code,
        record.text,
        record.started_at,
        record.ended_at or "",
        record.lane,
        record.window,
        record.approver,
        record.ticket,
        "; ".join(map(_version, record.versions)),
        " ".join(record.advisories),
        " ".join(record.cves),
        reboot.required if reboot else "",
        ("yes" if reboot.done else "no") if reboot else "",
        reboot.kernel_before if reboot else "",
        reboot.kernel_after if reboot else "",
        "; ".join(f"{unit}: {what}" for unit, what in sorted(record.services.items())),
        "; ".join(f"{entry.kind} {entry.name}: {entry.before} -> {entry.after}" for entry in record.differences),
        " ".join(record.findings_new),
        "; ".join(record.half_done),
        " ".join(record.config_files),
        "; ".join(record.residual),
        record.rollback,
        record.plan_hash,
        record.transaction,
        record.begun_by,
        *_antivirus(record.antivirus),
        *_cleaned(record),
    )


def _cleaned(record: ChangeRecord) -> tuple[str, ...]:
    """What a cleanup did, or would do: empty for other chores."""
    part = record.cleanup
    if part is None:
        return ("", "", "", "")
    accounts = [(rule.id, rule.done or rule.predicted) for rule in part.rules]
    return (
        "; ".join(f"{entry.mount}: {entry.predicted_bytes}" for entry in part.filesystems),
        "; ".join(
            f"{entry.mount}: {entry.actual_bytes}" for entry in part.filesystems if entry.actual_bytes is not None
        ),
        "; ".join(f"{name}: {told.files} files, {told.bytes} bytes" for name, told in accounts if told and told.files),
        "; ".join(f"{entry.mount}: {reason.code}" for entry in part.filesystems for reason in entry.reasons),
    )


def _antivirus(found: AntivirusChange | None) -> tuple[str, ...]:
    """What only antivirus work has; empty cells for other chores."""
    if found is None:
        return ("",) * 6
    return (
        "; ".join(definitions_line(entry) for entry in found.definitions),
        scan_line(found.scan) if found.scan else "",
        "; ".join(detected_line(entry) for entry in found.detections),
        " ".join(found.cleared),
        "; ".join(f"{unit}: {text}" for unit, text in found.repaired.items()),
        "; ".join(entry.path or entry.quarantine_id for entry in found.restored),
    )


def backups_csv(desk: Desk, dialect: Dialect = "plain") -> bytes:
    """Return every declared dataset with its five verdicts; ``never_restored`` names the expected paths."""
    head = desk.run.header
    rows = ((head.client.id, head.run_id, *_dataset(entry)) for entry in desk.run.backups)
    return sheet(BACKUP_COLUMNS, rows, dialect)


def _dataset(entry: DatasetSummary) -> Iterator[t.Any]:
    for column in BACKUP_COLUMNS[2:]:
        if column == "never_restored":
            yield "; ".join(path for path, at in entry.restored.items() if at is None)
        elif column == "proven":
            yield "yes" if entry.proven else "no"
        else:
            value = getattr(entry, column)
            yield "" if value is None else value


def cell(value: t.Any, dialect: Dialect = "plain") -> str:
    """Return a value as text that no spreadsheet takes for a formula. A number is one: ``-3`` is no formula."""
    text = str(value)
    if isinstance(value, (int, float)):
        return text.replace(".", ",") if dialect == "excel_eu" else text
    return _inert(text)


# Most texts of a table stand in many of its rows.
@functools.lru_cache(maxsize=4096)
def _inert(text: str) -> str:
    return f"'{text}" if text[:1] in _FORMULA else text


def sheet(columns: Sequence[str], rows: Iterable[Sequence[t.Any]], dialect: Dialect) -> bytes:
    """Return a spreadsheet as CSV."""
    stream = io.StringIO()
    # Everything is quoted: a separator set by the reader's locale can then not open a new cell.
    separator = ";" if dialect == "excel_eu" else ","
    writer = csv.writer(stream, delimiter=separator, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_inert(value) if isinstance(value, str) else cell(value, dialect) for value in row])
    # Lone surrogates (bytes of a host that were no text) have no UTF-8 form.
    return stream.getvalue().encode("utf-8-sig" if dialect == "excel_eu" else "utf-8", "replace")
