# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: which runs of the schedule took place, and which did not. Pure.

A planned time is met by a run that began after it, within the grace of its entry: by one that the schedule started, or
by one of the same playbook that a person started over all hosts. A run that only looked does not stand for one that was
to act. One run meets one planned time of an entry.
"""

from __future__ import annotations

import bisect
import datetime
import itertools
import typing as t
from collections.abc import Iterable, Mapping, Sequence
from zoneinfo import ZoneInfo

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import count_text, duration_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.identifiers import finding_key
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.times import clock
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import MissedRun

if t.TYPE_CHECKING:
    from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.model import Entry

CHECK = "schedule.missed"
# Clocks of a timer and of a run are read a moment apart.
_EARLY_S = 60.0


class Began(t.NamedTuple):
    """A run, or a beat of the watch, that began ``at``. ``whole``: over all hosts; ``complete``: it also ended."""

    at: float
    playbook: str
    entry: str = ""
    acting: frozenset[str] = frozenset()
    whole: bool = True
    complete: bool = True


class Slot(t.NamedTuple):
    """A planned time with the run that met it. ``terms`` are the entry as it was declared then."""

    name: str
    terms: Entry
    at: float
    met_by: Began | None

    @property
    def deadline(self) -> float:
        """From then on it counts as missed."""
        return self.at + self.terms.grace_s

    def missed(self, now: float) -> bool:
        """True when nothing met it in time."""
        return self.met_by is None and now >= self.deadline


def fits(name: str, terms: Entry, run: Began) -> bool:
    """True when a run is one of this entry, or does the same."""
    if run.entry:
        # The entry told it what it may carry out; chores that no host within its limit bought have no part in it.
        return run.entry == name and (not terms.act or bool(run.acting))
    if not set(terms.act) <= run.acting:
        return False
    return run.playbook == terms.playbook and (run.whole or bool(terms.limit))


def slots(planned: Iterable[tuple[str, Entry, float]], runs: Sequence[Began]) -> list[Slot]:
    """Return what became of planned times (name, entry, when), by entry and time.

    A run is for the newest planned time that it can be for: a beat that was left out does not shift all that follow.
    """
    found = [Slot(name, terms, at, None) for name, terms, at in sorted(planned, key=lambda plan: (plan[0], plan[2]))]
    by_name = {name: list(group) for name, group in itertools.groupby(found, key=lambda slot: slot.name)}
    told: list[Slot] = []
    for name, mine in by_name.items():
        times = [slot.at for slot in mine]
        for run in sorted(runs, key=lambda run: run.at):
            for place in range(bisect.bisect_right(times, run.at + _EARLY_S) - 1, -1, -1):
                slot = mine[place]
                if run.at >= slot.deadline:
                    break
                if slot.met_by is None and fits(name, slot.terms, run):
                    mine[place] = slot._replace(met_by=run)
                    break
        told += mine
    return told


def missed(
    client: str, found: Sequence[Slot], runs: Sequence[Began], zone: ZoneInfo, now: float, since: float
) -> list[MissedRun]:
    """Return what did not take place, by entry and time: since a moment, and before it where nothing came after.

    What an entry missed in a row is one finding, with its first planned time.
    """
    told = []
    for _name, group in itertools.groupby(found, key=lambda slot: slot.name):
        mine = [slot for slot in group if slot.met_by is not None or slot.missed(now)]
        stretches = [
            (is_missed, list(part)) for is_missed, part in itertools.groupby(mine, key=lambda slot: slot.missed(now))
        ]
        for place, (is_missed, stretch) in enumerate(stretches):
            last = place + 1 == len(stretches)
            if is_missed and (last or stretch[-1].deadline >= since):
                told.append(_finding(client, stretch, runs, zone))
    return sorted(told, key=lambda entry: (entry.planned_at, entry.entry))


def _finding(client: str, stretch: Sequence[Slot], runs: Sequence[Began], zone: ZoneInfo) -> MissedRun:
    first, last = stretch[0], stretch[-1]
    terms = first.terms
    what = f"{first.name} ({terms.playbook}{', to act: ' + ', '.join(terms.act) if terms.act else ''})"
    if len(stretch) == 1:
        text = f"{what}, planned for {clock(first.at, zone)}, did not run within {duration_text(terms.grace_s)}"
    else:
        text = (
            f"{what} did not run {count_text(len(stretch), 'time')} in a row, planned from {clock(first.at, zone)} to "
            f"{datetime.datetime.fromtimestamp(last.at, zone):%Y-%m-%d %H:%M}"
        )
    return MissedRun(
        key=finding_key(client, "", CHECK, f"{first.name} {iso(first.at)}"),
        entry=first.name,
        playbook=terms.playbook,
        act=list(terms.act),
        planned_at=iso(first.at),
        last_planned_at=iso(last.at),
        count=len(stretch),
        text=text + _instead(first, runs, zone) + ".",
    )


def _instead(slot: Slot, runs: Sequence[Began], zone: ZoneInfo) -> str:
    """Say what there was in its place."""
    for run in runs:
        near = slot.at - _EARLY_S <= run.at < slot.at + 2 * slot.terms.grace_s
        if not near or run.entry not in ("", slot.name) or run.playbook != slot.terms.playbook:
            continue
        when = clock(run.at, zone)
        if not set(slot.terms.act) <= run.acting:
            return f"; a run began {when}, and was not to act"
        if not run.entry and not run.whole and not slot.terms.limit:
            return f"; a run began {when}, for a part of the hosts"
        if run.at >= slot.deadline:
            return f"; it began {when}, too late"
    return ""


class Standing(t.NamedTuple):
    """How an entry stands: for the dead-man's metric. Times are epoch seconds, 0 for never."""

    name: str
    last_success: float
    expected_by: float
    missed: int


def standings(
    entries: Mapping[str, Entry],
    found: Sequence[Slot],
    runs: Sequence[Began],
    following: Mapping[str, float],
    now: float,
) -> list[Standing]:
    """Return how every entry of today's schedule stands.

    ``following`` is when the next planned time of each, after now, has to be met. ``expected_by`` lies in the past as
    long as nothing came after a planned time that was not met.
    """
    told = []
    for name, terms in sorted(entries.items()):
        mine = [slot for slot in found if slot.name == name]
        last = max((run.at for run in runs if run.complete and fits(name, terms, run)), default=0.0)
        waiting = [slot.deadline for slot in mine if slot.met_by is None and slot.at > last]
        expected_by = min(waiting, default=following.get(name, 0.0))
        told.append(Standing(name, last, expected_by, sum(slot.missed(now) for slot in mine)))
    return told
