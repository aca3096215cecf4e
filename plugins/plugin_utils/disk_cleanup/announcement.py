# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what disk cleanup would do as text, for a terminal at night and for the office. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import count_text, size_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup.models import (
    Cleanup,
    FilesystemPart,
    Grower,
    RulePart,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Client, iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.visible import visible

WIDTH = 100
_NAMED = 5


def client(
    owner: Client, records: Sequence[ChangeRecord], missing: Sequence[str], run_id: str, now: float, *, acting: bool
) -> str:
    """Return the announcement of a run: every host whose filesystems ask for room, and those nobody could ask."""
    asking = [record for record in records if record.cleanup and record.cleanup.filesystems]
    quiet = [record.host for record in records if record not in asking]
    lines = [
        f"Disk cleanup for {owner.name}, looked at {iso(now)} (run {run_id})",
        "This is what is about to be done." if acting else "This is an announcement: nothing has been changed.",
        "",
    ]
    for record in sorted(asking, key=lambda entry: entry.host):
        lines += [*_host(record), ""]
    if quiet:
        lines += [*_wrap("No filesystem asks for room: ", ", ".join(sorted(quiet))), ""]
    if missing:
        lines += [
            *_wrap("Not looked at, because they were not reached or could not be judged: ", ", ".join(missing)),
            "",
        ]
    if any(record.outcome == "planned" for record in asking) and not acting:
        lines += ["To carry it out: -e disk_cleanup_act=true", ""]
    return "\n".join(lines)


def _host(record: ChangeRecord) -> Iterator[str]:
    part = record.cleanup or Cleanup()
    yield visible(record.host)
    for entry in part.filesystems:
        yield from _filesystem(entry)
    for rule in part.rules:
        yield from _rule(rule)
    if part.elsewhere:
        yield from _wrap("  not on this system: ", ", ".join(part.elsewhere), 6)
    for report in part.reports:
        named = ", ".join(report.items[:_NAMED]) + (" ..." if report.items[_NAMED:] else "")
        yield from _wrap(f"  {report.id}, for a person to decide: ", f"{report.count} ({named or report.note})", 6)
    for growth in part.growth:
        yield from _wrap(f"  Make larger, {growth.outcome}: ", growth.text, 6)
        for step in growth.steps:
            yield from _wrap("    ", step, 6)


def _filesystem(entry: FilesystemPart) -> Iterator[str]:
    target = "all that may go" if entry.target_percent is None else f"to {entry.target_percent:g} % free"
    yield from _wrap(
        f"  {entry.mount}: ",
        f"{size_text(entry.avail_before_bytes)} of {size_text(entry.size_bytes)} free; "
        f"{size_text(entry.predicted_bytes)} would become free ({target}; asked by {', '.join(entry.asked_by)})",
        6,
    )
    if entry.forecast:
        yield from _wrap("    ", entry.forecast, 6)
    if entry.growers:
        yield from _wrap("    largest: ", "; ".join(_grower(grower) for grower in entry.growers[:_NAMED]), 6)


def _grower(grower: Grower) -> str:
    owner = grower.unit or grower.package or grower.user
    delta = f", {size_text(grower.delta_bytes)} more" if grower.delta_bytes and grower.delta_bytes > 0 else ""
    return f"{grower.path} {size_text(grower.bytes)}{delta}" + (f" ({owner})" if owner else "")


def _rule(rule: RulePart) -> Iterator[str]:
    told = rule.predicted
    if told is None:
        return
    words = [f"{count_text(told.files, 'file')}, {size_text(told.bytes)}" if told.files else "nothing"]
    if told.folders:
        words.append(f"{count_text(told.folders, 'empty folder')}")
    if told.oldest and told.newest:
        words.append(f"from {told.oldest[:10]} to {told.newest[:10]}")
    if told.skipped:
        words.append("stay: " + ", ".join(f"{count} {reason}" for reason, count in told.skipped.items()))
    if told.stopped:
        words.append(f"ended by {told.stopped}")
    if told.rest_bytes:
        words.append(f"{size_text(told.rest_bytes)} more could go")
    yield from _wrap(f"  {rule.id}: ", "; ".join(words), 6)
    for note in told.notes:
        yield from _wrap("    ", note, 6)


def _wrap(head: str, text: str, indent: int = 2) -> list[str]:
    # Much of this is told by the hosts: nothing of it may move the cursor of a terminal.
    return textwrap.wrap(
        visible(head + text), WIDTH, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    ) or [head.rstrip()]
