# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the ledger of a client: its schedules beside its runs and beats.

Runs on the control node.
"""

from __future__ import annotations

import typing as t
from zoneinfo import ZoneInfo

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import DAY
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.expected_runs import declared, errands, ledger
from ansible_collections.keepwell.fleet.plugins.plugin_utils.expected_runs.ledger import Began, Slot, Standing
from ansible_collections.keepwell.fleet.plugins.plugin_utils.history import History
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.times import find_zone
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import epoch
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import MissedRun
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.model import Entry
from ansible_collections.keepwell.fleet.plugins.plugin_utils.watch.book import Book

# How far back it is looked for what did not run; a monthly entry has its place in it.
LOOK_BACK_S = 35 * DAY
# Beats come by the hundred: of those, what a week says is enough.
BEATS_BACK_S = 7 * DAY
# A run may be for a time a little before it.
_MARGIN_S = 3600.0


class Account(t.NamedTuple):
    """What was planned and what took place."""

    slots: list[Slot]
    runs: list[Began]
    following: dict[str, float]
    entries: dict[str, Entry]
    zone: ZoneInfo

    def missed(self, client: str, now: float, since: float) -> list[MissedRun]:
        """Return what did not take place (see ``ledger.missed``)."""
        return ledger.missed(client, self.slots, self.runs, self.zone, now, since)

    def newly_missed(self, client: str, before: float, now: float) -> list[MissedRun]:
        """Return what counts as missed since the beat before: told once, and not of the watch itself, which runs."""
        fresh = [slot for slot in self.slots if before <= slot.deadline <= now and slot.terms.playbook != "watch"]
        return ledger.missed(client, fresh, self.runs, self.zone, now, before)

    def standings(self, now: float) -> list[Standing]:
        """Return how every entry of today's schedule stands."""
        return ledger.standings(self.entries, self.slots, self.runs, self.following, now)


def of(store: Store, history: History, timezone: str, now: float, look_back: float = LOOK_BACK_S) -> Account:
    """Return the ledger of a client. ``history`` is up to date; runs that are under way are looked for beside it.

    ``look_back`` is how many seconds before ``now`` it begins.
    """
    versions = declared.read(store)
    zone = find_zone(timezone) or ZoneInfo("UTC")
    if not versions:
        return Account([], [], {}, {}, zone)
    runs = history.began(now - look_back - _MARGIN_S)
    for run_id in store.unsealed():
        header = store.read_run(run_id).header
        whole = not header.partial
        runs.append(
            Began(epoch(header.started_at), header.playbook, header.entry, frozenset(header.acting), whole, False)
        )
    runs += errands.began(store, now - look_back - _MARGIN_S)
    book = Book(store)
    runs += [
        Began(moment.at, "watch", moment.beat.entry, frozenset(), moment.beat.asked is None)
        for moment in book.read(now - BEATS_BACK_S - _MARGIN_S, now + 1)
    ]
    plans = [
        plan
        for plan in declared.planned(versions, now - look_back, now)
        if plan[1].playbook != "watch" or plan[2] >= now - BEATS_BACK_S
    ]
    return Account(
        ledger.slots(plans, runs),
        sorted(runs, key=lambda run: run.at),
        _following(versions, now),
        {name: terms for name, terms in versions[-1].entries().items() if terms.enabled},
        zone,
    )


def _following(versions: list[declared.Declared], now: float) -> dict[str, float]:
    """When each entry of today's schedule has to be met next."""
    found: dict[str, float] = {}
    for name, terms, at in declared.planned(versions, now, now + LOOK_BACK_S):
        found.setdefault(name, at + terms.grace_s)
    return found
