# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: a period read from evidence on disk. What was changed is named and not used."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.keepwell.fleet.plugins.plugin_utils.availability import series
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import DAY
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.expected_runs import account
from ansible_collections.keepwell.fleet.plugins.plugin_utils.history import open_history
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import epoch, iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.period.collect import Collector
from ansible_collections.keepwell.fleet.plugins.plugin_utils.period.models import Period
from ansible_collections.keepwell.fleet.plugins.plugin_utils.period.span import Days
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.reading import read_run
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import (
    Availability,
    Manifest,
    MissedRun,
    Run,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.watch.book import Book


@dataclass(frozen=True)
class Reading:
    """A period with the run that it ended with, the newest whole one, and where that lies."""

    period: Period
    run: Run
    path: Path


def read(store: Store, days: Days, now: float) -> Reading:
    """Return what the runs that ended in some days come to. Raises EvidenceError when there are none to read."""
    chain = store.sealed()
    mine = [seal for seal in chain if days.begin <= epoch(seal.ended_at) < days.end]
    if not mine:
        raise EvidenceError(_nothing(store, chain, days))
    # A running period ends with its newest run: asked twice, it says the same twice.
    end = days.end if days.end <= now else min(days.end, epoch(mine[-1].ended_at) + 1)
    deleted = store.deleted_files(chain)
    collector = Collector(_before(store, chain, deleted, days.begin))
    for seal in mine:
        gone = deleted.get(seal.run_id, set())
        head = store.manifest_hash(seal.run_id)
        altered = store.altered(seal, gone)
        if altered or "run.json" in gone:
            collector.add_unread(seal, head, altered, deleted="run.json" in gone)
        else:
            collector.add(_run(store, seal.run_id), seal, head)
    last = collector.last
    if last is None:
        raise EvidenceError(
            f"No report was made: of the {len(mine)} runs from {days.first} to {days.last} the evidence was changed or "
            "deleted. playbooks/verify.yml says more."
        )
    period = collector.period(
        last.header.client, iso(days.begin), iso(end), days.first.isoformat(), days.last.isoformat()
    )
    period.open_end = end < days.end
    period.broken = store.broken_links(chain)
    period.missed = _missed(store, period, end)
    period.availability = _availability(store, last, days.begin, end)
    return Reading(period, last, store.run_dir(last.header.run_id) / "run.json")


def _run(store: Store, run_id: str) -> Run:
    return read_run(store.run_dir(run_id) / "run.json")


def _nothing(store: Store, chain: Sequence[Manifest], days: Days) -> str:
    if not chain:
        return (
            f"No report was made: client '{store.client_id}' has no recorded run below {store.root}. "
            "Check the inventory (-i) and keepwell_state_dir, or run playbooks/assess.yml first."
        )
    return (
        f"No report was made: no run of client '{store.client_id}' ended from {days.first} to {days.last}. The first "
        f"ended on {chain[0].ended_at[:10]}, the last on {chain[-1].ended_at[:10]}: change keepwell_from and "
        "keepwell_to."
    )


def _before(store: Store, chain: Sequence[Manifest], deleted: t.Mapping[str, set[str]], begin: float) -> Run | None:
    """The last whole run before a period whose evidence is there and as it was."""
    for seal in reversed(chain):
        gone = deleted.get(seal.run_id, set())
        if epoch(seal.ended_at) >= begin or seal.status != "complete" or seal.partial or "run.json" in gone:
            continue
        if not store.altered(seal, gone):
            return _run(store, seal.run_id)
    return None


def _missed(store: Store, period: Period, end: float) -> list[MissedRun]:
    """What the schedule planned in the period and did not take place."""
    begin = epoch(period.begin)
    look_back = end - begin + 2 * DAY
    found = account.of(store, open_history(store), period.client.timezone, end, look_back).missed(
        store.client_id, end, begin
    )
    return [entry for entry in found if entry.last_planned_at >= period.begin]


def _availability(store: Store, last: Run, begin: float, end: float) -> Availability | None:
    """What the watch saw; of the hosts, and by what was agreed, as the last run says."""
    book = Book(store)
    beats = book.read(begin - series.MARGIN_S, end + series.MARGIN_S)
    return series.availability(beats, last.header.population, last.header.targets, begin, end, lambda: book.broken)
