# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the registers of a period as spreadsheets, a row an entry. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.exports.formats import Dialect
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Model
from ansible_collections.keepwell.fleet.plugins.plugin_utils.period.models import Period
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.tables import sheet
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.visible import presentable

# Register -> its columns: fields of the entries, in this order.
COLUMNS: dict[str, tuple[str, ...]] = {
    "population": ("host", "standing", "asked", "answered", "first_at", "last_at", "reason"),
    "runs": (
        "seq", "run_id", "status", "started_at", "ended_at", "playbook", "entry", "acting", "partial", "population",
        "answered", "head", "signed_by", "unsigned", "altered", "deleted",
    ),
    "findings": (
        "key", "host", "check", "pillar", "title", "object", "state", "observed", "since", "first_seen", "deadline",
        "found_run", "scheduled", "last_seen", "ended", "ended_at", "ended_run", "change_at", "change_run",
    ),
    "exceptions": (
        "expires", "host", "check", "title", "object", "underlying", "reason", "approver", "first_at", "last_at",
        "standing",
    ),
    "restores": (
        "at", "host", "dataset", "verifier", "kind", "outcome", "code", "text", "snapshot_at", "files", "bytes",
        "seconds", "compared", "changed", "wrong", "left", "run_id",
    ),
    "changes": (
        "run_id", "host", "chore", "outcome", "code", "text", "started_at", "ended_at", "lane", "emergency",
        "approver", "ticket", "window", "packages", "cves", "rebooted",
    ),
}  # fmt: skip


def sheets(period: Period, dialect: Dialect = "plain") -> dict[str, bytes]:
    """Return every register by the name of its file."""
    shown = presentable(period)
    entries: dict[str, Sequence[Model]] = {
        "population": shown.hosts,
        "runs": shown.runs,
        "findings": shown.tracks,
        "exceptions": shown.exceptions,
        "restores": shown.restores,
        "changes": shown.changes,
    }
    return {
        f"{name}.csv": sheet(
            columns, ([_cell(getattr(entry, column)) for column in columns] for entry in entries[name]), dialect
        )
        for name, columns in COLUMNS.items()
    }


def _cell(value: t.Any) -> t.Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "; ".join(value) if isinstance(value, list) else value
