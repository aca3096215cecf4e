# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: due tests as text, for a terminal at night and for the client's office. Pure."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.plans import (
    PlannedTest,
    TestPlan,
    Told,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import count_text, size_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Client, iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.visible import visible

WIDTH = 100
FILES_SHOWN = 5
LONG_HASH = re.compile(r"\b[0-9a-f]{40,64}\b")


def client(
    owner: Client,
    plans: Sequence[TestPlan],
    absent: Mapping[str, str],
    silent: Iterable[str],
    run_id: str,
    now: float,
    *,
    acting: bool,
) -> str:
    """Return the announcement of a run.

    ``absent`` are datasets whose verifier is no part of the run, ``silent`` verifying hosts that could not look.
    """
    lines = [
        f"Tests of backups of {owner.name}, planned {iso(now)} (run {run_id})",
        "They are done one after the other on each host; a repository is read by one host at a time."
        if acting
        else "This is an announcement: nothing has been read for a test, restored or written.",
        "",
    ]
    for plan in sorted(plans, key=lambda entry: entry.host):
        lines += [*_host(plan), ""]
    for name, verifier in sorted(absent.items()):
        lines += [*_wrap(f"{name}: ", f"its verifier {verifier} is no part of this run; not looked at."), ""]
    silenced = sorted(silent)
    if silenced:
        lines += [*_wrap("Could not look, see the run's messages: ", ", ".join(silenced)), ""]
    if not (plans or absent or silenced):
        lines += ["No dataset is declared (backup_verification_datasets).", ""]
    if not acting and any(plan.chosen() for plan in plans):
        lines += [
            "To do these tests, inside a maintenance window that allows backup_verification",
            "(with backup_verification_slot: any at any time):",
            "  -e backup_verification_act=true",
            "",
        ]
    return "\n".join(lines)


def _host(plan: TestPlan) -> Iterator[str]:
    chosen = plan.chosen()
    number = count_text(len(chosen), "test") if chosen else "nothing is due"
    yield from _wrap(f"{plan.host}: ", f"{number}; looked at {count_text(len(plan.looked), 'dataset')}", indent=4)
    for seen in plan.looked:
        if seen.status != "ok":
            yield from _wrap(f"  NOT SEEN {seen.name}: ", f"{seen.status}. {seen.detail}".strip(), indent=6)
    for entry in chosen:
        yield from _test(entry)
    later = [entry for entry in plan.tests if not entry.chosen]
    if later:
        yield "  Left to another run:"
    for entry in later:
        yield from _wrap(f"    {entry.name} {entry.test.kind}: ", entry.test.reason, indent=6)


def _test(entry: PlannedTest) -> Iterator[str]:
    yield from _wrap(f"  {entry.name}, {entry.test.kind}: ", entry.test.reason, indent=6)
    yield from _wrap("    Protects: ", entry.protects, indent=6)
    yield from _wrap(f"    {entry.tool}: ", entry.repository, indent=6)
    told = entry.told
    if told is None:
        return
    if told.snapshot:
        when = f", from {iso(told.snapshot_time)}" if told.snapshot_time else ""
        yield f"    Snapshot: {_short(visible(told.snapshot))}{when}"
    yield from _amount(told)
    if told.target:
        free = "" if told.free_bytes is None else f", {size_text(told.free_bytes)} free"
        notes = f" ({'; '.join(told.notes)})" if told.notes else ""
        yield from _wrap("    Into: ", f"{told.target}{free}{notes}", indent=6)
    for step in told.steps:
        yield from _wrap("    - ", _short(step), indent=6)
    if told.refused:
        yield from _wrap("    NOT READY: ", told.refused, indent=6)


def _amount(told: Told) -> Iterator[str]:
    if told.files_count is None:
        return
    if not told.files_count:
        yield "    Files: none; the snapshot has nothing of what is to be restored"
        return
    of = f" of {told.total_files}" if told.total_files else ""
    size = "" if told.bytes is None else f", {size_text(told.bytes)}"
    yield f"    Files: {told.files_count}{of}{size}"
    for path in told.files[:FILES_SHOWN]:
        yield f"      {visible(path)}"
    if told.files[:FILES_SHOWN] and told.files_count > FILES_SHOWN:
        yield f"      and {told.files_count - FILES_SHOWN} more"


def _short(text: str) -> str:
    """Return the text with long hashes cut to what the tools themselves show, and take, of them."""
    return LONG_HASH.sub(lambda found: found[0][:12], text)


def _wrap(head: str, text: str, indent: int = 2) -> list[str]:
    return textwrap.wrap(
        visible(head + text),
        WIDTH,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
