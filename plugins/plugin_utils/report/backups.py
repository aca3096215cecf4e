# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: backups as a reader meets them: lanes, five verdicts, what came back and when. Pure."""

from __future__ import annotations

import typing as t
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    DAY,
    HOUR,
    SEVERITY,
    State,
    worst,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import DatasetSummary, epoch
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import Desk, HostLink, Shown, first
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.lanes import Lane, lane
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.look import ORDER, Badge
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.wording import decimal
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import BackupTest

VERDICTS = ("freshness", "completeness", "integrity", "restorability", "survivability")
LANES_SHOWN = 100
LEDGER_SHOWN = 60
PATHS_SHOWN = 8
TESTS_SHOWN = 60
_HOURS_BELOW = 72
_KIND = "kind of test"
# How a test ended: what it says of the backup, and its shape.
ENDS: dict[str, tuple[State, str]] = {
    "damaged": ("crit", "✖"),
    "failed": ("crit", "✖"),
    "error": ("act", "▲"),
    "timeout": ("act", "▲"),
    "refused": ("act", "▲"),
    "locked": ("watch", "◔"),
    "inconclusive": ("unknown", "?"),
    "proven": ("ok", "✓"),
}


@dataclass(frozen=True, slots=True)
class LaneRow:
    """One dataset with its lane and the same in words. ``verdicts`` are in the order of VERDICTS."""

    host: HostLink
    dataset: str
    protects: str
    how: str
    badge: Badge
    lane: Lane
    age: str
    agreed: str
    late: bool
    proof: str
    due: str
    overdue: bool
    verdicts: list[Badge]
    read: str
    recovery: str
    reason: str


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """What of a dataset has ever come back; ``paths`` are path and day, "" for never."""

    host: HostLink
    dataset: str
    protects: str
    proof: str
    paths: Shown[tuple[str, str]]
    count: int


@dataclass(frozen=True, slots=True)
class TestRow:
    """One test that this run did."""

    badge: Badge
    host: HostLink
    dataset: str
    kind: str
    text: str
    amount: str
    seconds: str
    rate: str
    compared: str
    left: str


@dataclass(frozen=True, slots=True)
class BackupsView:
    """All datasets, those that ask for a person first.

    ``totals`` are the five verdicts with their numbers in the order of ``states``; each adds up to ``total``.
    """

    total: int
    proven: int
    labels: list[str]
    states: list[Badge]
    totals: list[tuple[str, list[int]]]
    lanes: Shown[LaneRow]
    never: int
    ledger: Shown[LedgerRow]
    tally: list[tuple[Badge, int]]
    tests: Shown[TestRow]


def backups_view(desk: Desk) -> BackupsView | None:
    """Return what is known of a run's backups; None where none is declared and nothing was tested."""
    run = desk.run
    if not (run.backups or run.backup_tests):
        return None
    entries = ranked(run.backups)
    labels = labels_of(desk)
    tests = sorted(run.backup_tests, key=lambda test: (list(ENDS).index(_end(test)), test.host, test.dataset, test.at))
    ends = Counter(_end(test) for test in tests)
    ledger = sorted(
        entries, key=lambda entry: (-entry.never_restored, entry.proven_at or "", entry.host, entry.dataset)
    )
    return BackupsView(
        total=len(entries),
        proven=sum(entry.proven for entry in entries),
        labels=list(labels.values()),
        states=[desk.badges[state] for state in ORDER],
        totals=[(labels[verdict], [_number(entries, verdict, state) for state in ORDER]) for verdict in VERDICTS],
        lanes=first([_lane(desk, entry, number) for number, entry in enumerate(entries)], LANES_SHOWN),
        never=sum(entry.never_restored for entry in entries),
        ledger=first([_ledger(desk, entry) for entry in ledger], LEDGER_SHOWN),
        tally=[(end_badge(desk, end), ends[end]) for end in ENDS if ends[end]],
        tests=first([_test(desk, test) for test in tests], TESTS_SHOWN),
    )


def labels_of(desk: Desk) -> dict[str, str]:
    """Return verdict -> its name as a heading."""
    gettext_ = desk.texts.gettext
    return {
        "freshness": gettext_("Fresh"),
        "completeness": gettext_("Complete"),
        "integrity": gettext_("Readable"),
        "restorability": gettext_("Restorable"),
        "survivability": gettext_("Survives"),
    }


def states_of(entry: DatasetSummary) -> list[State]:
    """Return the five states of a dataset in the order of VERDICTS."""
    return [t.cast(State, getattr(entry, verdict)) for verdict in VERDICTS]


def ranked(entries: Sequence[DatasetSummary]) -> list[DatasetSummary]:
    """Return datasets with those first that ask for a person."""
    return sorted(entries, key=_rank)


def _rank(entry: DatasetSummary) -> tuple[t.Any, ...]:
    """Sort datasets: the worst verdict first, then how many are so, then what is not proven, then by name."""
    states = states_of(entry)
    weight = [-states.count(state) for state in ("crit", "act", "unknown", "watch")]
    return (-SEVERITY.index(worst(states)), *weight, entry.proven, entry.host, entry.dataset)


def _number(entries: Sequence[DatasetSummary], verdict: str, state: State) -> int:
    return sum(getattr(entry, verdict) == state for entry in entries)


def _lane(desk: Desk, entry: DatasetSummary, number: int) -> LaneRow:
    gettext_ = desk.texts.gettext
    late = entry.data_age_s is not None and entry.data_age_s > entry.rpo_s
    due = None if entry.next_due is None else epoch(entry.next_due) - desk.clock.now
    return LaneRow(
        host=desk.link(entry.host),
        dataset=entry.dataset,
        protects=entry.protects,
        how=_how(desk, entry),
        badge=desk.badges[worst(states_of(entry))],
        lane=lane_of(desk, entry, f"l{number}"),
        age=gettext_("age not known")
        if entry.data_age_s is None
        else gettext_("{age} old").format(age=_length(desk, entry.data_age_s)),
        agreed=_length(desk, entry.rpo_s),
        late=late,
        proof=_proof(desk, entry),
        due="" if due is None else _due(desk, entry, due),
        overdue=due is not None and due < 0,
        verdicts=[desk.badges[state] for state in states_of(entry)],
        read=gettext_("{percent} % read within {days} days").format(
            percent=decimal(desk.language, f"{entry.read_percent:g}"),
            days=decimal(desk.language, f"{entry.read_all_days:g}"),
        ),
        recovery=_recovery(desk, entry),
        reason=entry.reason,
    )


def lane_of(desk: Desk, entry: DatasetSummary, name: str) -> Lane:
    """Return the lane of a dataset; ``name`` makes its ids unique."""
    return lane(
        name,
        entry.freshness,
        None if entry.data_age_s is None else entry.data_age_s / HOUR,
        entry.rpo_s / HOUR,
        None if entry.proven_at is None else (desk.clock.now - epoch(entry.proven_at)) / DAY,
        None if entry.next_due is None else (epoch(entry.next_due) - desk.clock.now) / DAY,
    )


def _length(desk: Desk, seconds: float) -> str:
    """Return an age; below three days in hours, or what is late by an hour would look as agreed."""
    hours = int(seconds // HOUR)
    if 1 < hours < _HOURS_BELOW:
        return desk.texts.ngettext("{n} hour", "{n} hours", hours).format(n=hours)
    return desk.length(seconds)


def _how(desk: Desk, entry: DatasetSummary) -> str:
    if entry.verifier == entry.host:
        return entry.tool
    return desk.texts.gettext("{tool}, verified by {host}").format(tool=entry.tool, host=entry.verifier)


def _proof(desk: Desk, entry: DatasetSummary) -> str:
    """Return what last came back and was compared, and when; a later test that ended otherwise is told with it."""
    gettext_ = desk.texts.gettext
    told = gettext_("never")
    if entry.proven_at:
        told = f"{desk.word(_KIND, entry.proven_kind)}, {desk.clock.day(entry.proven_at)}"
    if entry.tested_at and entry.tested_at != entry.proven_at and entry.tested_outcome != "proven":
        told += gettext_("; then {kind} on {day}: {end}").format(
            kind=desk.word(_KIND, entry.tested_kind),
            day=desk.clock.day(entry.tested_at),
            end=_word(desk, entry.tested_outcome),
        )
    return told


def _due(desk: Desk, entry: DatasetSummary, away: float) -> str:
    text = desk.texts.gettext("{kind} late by {distance}") if away < 0 else desk.texts.gettext("{kind} in {distance}")
    return text.format(kind=desk.word(_KIND, entry.next_kind), distance=desk.length(away))


def _recovery(desk: Desk, entry: DatasetSummary) -> str:
    """Return how long everything would take by what was measured, beside what was agreed; "" when nobody measured."""
    if entry.rto_estimate_s is None:
        return ""
    took = desk.length(entry.rto_estimate_s)
    if entry.rto_target_s is None:
        return desk.texts.gettext("all back in {time}").format(time=took)
    agreed = desk.length(entry.rto_target_s)
    return desk.texts.gettext("all back in {time}, agreed {agreed}").format(time=took, agreed=agreed)


def _ledger(desk: Desk, entry: DatasetSummary) -> LedgerRow:
    paths = sorted(entry.restored.items(), key=lambda pair: (pair[1] or "", pair[0]))
    return LedgerRow(
        host=desk.link(entry.host),
        dataset=entry.dataset,
        protects=entry.protects,
        proof=f"{desk.word(_KIND, entry.proven_kind)}, {desk.clock.day(entry.proven_at)}" if entry.proven_at else "",
        paths=first([(path, desk.clock.day(at) if at else "") for path, at in paths], PATHS_SHOWN),
        count=entry.restored_paths,
    )


def _end(test: BackupTest) -> str:
    """How a test ended; a word that this version does not know counts as an error."""
    return test.outcome if test.outcome in ENDS else "error"


def _word(desk: Desk, outcome: str) -> str:
    pgettext_ = desk.texts.pgettext
    words = {
        "damaged": pgettext_("test", "damaged"),
        "failed": pgettext_("test", "did not come back"),
        "error": pgettext_("test", "not done"),
        "timeout": pgettext_("test", "out of time"),
        "refused": pgettext_("test", "refused"),
        "locked": pgettext_("test", "locked out"),
        "inconclusive": pgettext_("test", "not conclusive"),
        "proven": pgettext_("test", "proven"),
    }
    return words.get(outcome, outcome)


def end_badge(desk: Desk, end: str) -> Badge:
    """Return glyph and word of how a test ended."""
    state, glyph = ENDS[end]
    return Badge(state, glyph, _word(desk, end))


def _test(desk: Desk, test: BackupTest) -> TestRow:
    gettext_ = desk.texts.gettext
    amount = (
        [] if test.files is None else [desk.texts.ngettext("{n} file", "{n} files", test.files).format(n=test.files)]
    )
    amount += [] if test.bytes is None else [desk.size(test.bytes)]
    compared = [gettext_("{n} identical").format(n=test.compared)] if test.compared else []
    compared += [gettext_("{n} changed since").format(n=test.changed)] if test.changed else []
    compared += [gettext_("{n} wrong").format(n=test.wrong)] if test.wrong else []
    return TestRow(
        badge=end_badge(desk, _end(test)),
        host=desk.link(test.host),
        dataset=test.dataset,
        kind=desk.word(_KIND, test.kind),
        text=test.text,
        amount=", ".join(amount),
        seconds="" if test.seconds is None else decimal(desk.language, f"{test.seconds:.1f} s"),
        rate=f"{desk.size(test.bytes / test.seconds)}/s" if test.bytes and test.seconds else "",
        compared=", ".join(compared),
        left=test.left,
    )
