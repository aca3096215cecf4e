# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: when the next ring may go. Pure.

Nothing is remembered but the change records: whoever has them can say again why a ring was held or let go.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import BAD, ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import HOUR, duration_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import epoch
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import kinds
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import Plan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.options import Options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.rings import Schedule

# In an emergency a ring soaks for two hours at most (domain 1.8).
_EMERGENCY_SOAK_H = 2.0
# What stands against these makes an empty plan say nothing.
_TELLING = ("freshness", "simulation", "package_state")
_WRONG = ("running", *BAD)
_TOUCHED = ("done", *_WRONG)


class Decision(t.NamedTuple):
    """Whether a host may go now; ``code`` and ``text`` say why not."""

    go: bool
    code: str = ""
    text: str = ""


class Round(t.NamedTuple):
    """What is known when a host asks whether it may go.

    ``records`` are all change records and releases of the client, this run's included; ``plans`` are those that this
    run made; ``population`` are the hosts that belong to it, reached or not.
    """

    run_id: str
    population: Sequence[str]
    plans: Mapping[str, Plan]
    records: Sequence[ChangeRecord]


def unresolved(records: Sequence[ChangeRecord], run_id: str = "") -> list[str]:
    """Hosts whose newest change went wrong and that nobody released since.

    A change that does not come to an end is wrong as well, unless it belongs to run ``run_id``, which is at work.
    """
    return list(_wrong(records, run_id))


def releasable(records: Sequence[ChangeRecord]) -> list[str]:
    """Hosts that hold others until a person lets these go on: unresolved ones, and those that a change left worse."""
    held = set(_wrong(records, ""))
    for host in {record.host for record in records}:
        last = newest(records, host)
        if last is not None and last.findings_new and not _released(records, last):
            held.add(host)
    return sorted(held)


def _wrong(records: Sequence[ChangeRecord], run_id: str) -> dict[str, ChangeRecord]:
    """Host -> its newest change, where that went wrong and nobody released it."""
    found = {}
    for host in sorted({record.host for record in records}):
        last = newest(records, host)
        at_work = last is not None and last.outcome == "running" and last.run_id == run_id
        if last is not None and last.outcome in _WRONG and not at_work and not _released(records, last):
            found[host] = last
    return found


def gate(host: str, schedule: Schedule, known: Round, options: Options, now: float) -> Decision:
    """Say whether a host may be changed now.

    A change that went wrong in this ring or an earlier one stops the host, whatever its kind. So does an earlier ring
    (of its own kind, where rings were made) that has not got its own updates, or has not shown for long enough that it
    is well with them. A canary that is not reached is not well. Nodes of a pair wait for each other.
    """
    ring = schedule.ring_of(host)
    for other, last in _wrong(known.records, known.run_id).items():
        if other != host and schedule.ring_of(other) <= ring:
            return _stopped(last, schedule, now)
    held = _partner_is_away(host, schedule, known) or _of_no_kind(host, schedule)
    if held is not None:
        return held
    for earlier in range(1, ring):
        held = _not_yet(host, earlier, schedule, known, options, now)
        if held is not None:
            return held
    return Decision(True)


def suspects(host: str, schedule: Schedule, records: Sequence[ChangeRecord]) -> dict[tuple[str, str], str]:
    """Return (package, version) -> sentence for what came with a change that went wrong on another host.

    It is left out of the plans of the same and of later rings until that change is put right or released.
    """
    ring = schedule.ring_of(host)
    found: dict[tuple[str, str], str] = {}
    for other, last in _wrong(records, "").items():
        if other == host or schedule.ring_of(other) > ring:
            continue
        for entry in last.versions:
            if entry.after:
                found[entry.name, entry.after] = f"it came with the change of {other}, which {_word(last)}"
    return found


def newest(records: Sequence[ChangeRecord], host: str) -> ChangeRecord | None:
    """Return the newest change that touched a host, None when none did."""
    mine = [record for record in records if record.host == host and record.chore == "patching"]
    return max(
        (record for record in mine if record.outcome in _TOUCHED),
        key=lambda record: (record.started_at, record.run_id),
        default=None,
    )


def _released(records: Sequence[ChangeRecord], change: ChangeRecord) -> bool:
    """True when a person let the client go on after this change."""
    return any(
        record.chore == "release" and record.host == change.host and record.started_at >= change.started_at
        for record in records
    )


def _stopped(last: ChangeRecord, schedule: Schedule, now: float) -> Decision:
    packages = ", ".join(f"{entry.name} {entry.after}" for entry in last.versions[:3])
    ago = duration_text(now - epoch(last.started_at))
    return Decision(
        False,
        "ring_failed",
        f"{last.host} ({_place(schedule, last.host)}) {_word(last)} {ago} ago"
        + (f" with {packages}" if packages else "")
        + f": {last.text} Mend it and patch it again, or let the client go on with patching_release.",
    )


def _place(schedule: Schedule, host: str) -> str:
    kind = schedule.kind_of(host)
    return f"ring {schedule.ring_of(host)}" + ("" if kind == kinds.UNKNOWN else f", {kinds.title(kind)}")


def _word(record: ChangeRecord) -> str:
    return {
        "failed": "failed",
        "rolled_back": "failed and was taken back",
        "lost": "was lost during its change",
        "running": "did not come to an end",
    }[record.outcome]


def _partner_is_away(host: str, schedule: Schedule, known: Round) -> Decision | None:
    """The nodes of a pair are never at risk together: one waits while nobody knows that the other is well."""
    for partner in schedule.partners(host):
        if partner in known.population and partner not in known.plans:
            reason = "was not reached in this run"
        elif partner in unresolved(known.records, known.run_id):
            reason = "is not well since its last change"
        else:
            continue
        return Decision(False, "pair", f"{partner}, another node of '{schedule.pairs[host]}', {reason}.")
    return None


def _of_no_kind(host: str, schedule: Schedule) -> Decision | None:
    """Where rings were made no canary speaks for a host whose system nobody could tell, so nothing speaks for it."""
    if schedule.declared or schedule.kinds.get(host) != kinds.UNKNOWN:
        return None
    return Decision(
        False,
        "ring",
        "Nobody could tell which system it runs, so no canary speaks for it. Look at its probe 'system', or declare "
        "patching_ring for the hosts of the client.",
    )


def _not_yet(host: str, ring: int, schedule: Schedule, known: Round, options: Options, now: float) -> Decision | None:
    """Return why the rings after this one still have to wait, or None when it has shown that it is well."""
    wanted = known.plans[host]
    urgent = wanted.lane == "emergency"
    rule = options.ring_rule(ring)
    soak_h = min(rule.soak_h, _EMERGENCY_SOAK_H) if urgent else rule.soak_h
    members = schedule.awaited(host, ring)
    doubts = {name: _doubt(name, wanted, known, soak_h, now) for name in members}
    # Who had nothing to get proves nothing: the others have to.
    silent = sum(doubt.silent for doubt in doubts.values())
    need = min(1 if urgent else rule.good or len(members), len(members) - silent)
    good = sum(not doubt.text and not doubt.silent for doubt in doubts.values())
    if good >= need:
        return None
    why = [f"{name} {doubt.text}" for name, doubt in doubts.items() if doubt.text]
    only_time = all(doubt.only_time for doubt in doubts.values() if doubt.text)
    return Decision(
        False,
        "ring_soak" if only_time else "ring",
        f"{_which(schedule, ring, host)} has {good} of {need} hosts that have to be well before the next ring: "
        f"{'; '.join(why[:3])}" + (f"; and {len(why) - 3} more." if why[3:] else "."),
    )


def _which(schedule: Schedule, ring: int, host: str) -> str:
    """Name an earlier ring for which a host waits."""
    kind = schedule.kind_of(host)
    own = "" if schedule.declared or kind == kinds.UNKNOWN else f" of the {kinds.hosts(kind)}"
    return f"Ring {ring}{own}"


class _Doubt(t.NamedTuple):
    text: str = ""
    only_time: bool = False
    silent: bool = False


def _doubt(name: str, wanted: Plan, known: Round, soak_h: float, now: float) -> _Doubt:
    """Return why a host of an earlier ring does not yet count as well; an empty text when it does."""
    last = newest(known.records, name)
    own = known.plans.get(name)
    if name in known.population and own is None:
        return _Doubt("was not reached in this run")
    if own is not None and _not_supported(own):
        return _Doubt(silent=True)
    if own is not None and not (last is not None and last.run_id == known.run_id and not last.begun_by):
        if not own.empty:
            return _Doubt("still has to get its own updates")
        unknown = _unknown(own)
        if unknown:
            return _Doubt(f"cannot tell whether it has its updates: {unknown}")
    if last is None:
        # Up to date without ever having been changed: it cannot prove anything and stands against nothing.
        return _Doubt(silent=True) if own is not None else _Doubt("was never patched and is not part of this run")
    if last.outcome != "done" and not _released(known.records, last):
        return _Doubt(_word(last))
    if last.stopped and last.run_id == known.run_id and not _released(known.records, last):
        # Its plan is from before: a later run makes another one, of what is left.
        return _Doubt("was stopped before it had all of its updates")
    if last.run_id == known.run_id and own is not None and own.transaction and not last.versions:
        return _Doubt("got none of its updates")
    if last.findings_new and not _released(known.records, last):
        return _Doubt(f"has new findings since its change: {', '.join(last.findings_new[:3])}")
    age = now - epoch(last.ended_at or last.started_at)
    if age < soak_h * HOUR:
        return _Doubt(f"is well for {duration_text(age)}, of {soak_h:g} hours", only_time=True)
    proven = {(entry.name, entry.after) for record in known.records for entry in record.versions if record.host == name}
    new = [move.name for move in wanted.transaction if (move.name, move.after) not in proven]
    if own is None and new:
        return _Doubt(f"is not part of this run and never got {', '.join(new[:3])} as planned here")
    # Who got nothing of what is wanted here proves nothing for it, however well it is.
    return _Doubt(silent=bool(new) and len(new) == len(wanted.transaction))


def _not_supported(plan: Plan) -> bool:
    """True for a host that is never patched, whatever it lacks: nobody can wait for it."""
    return any(fact.name == "package_manager" and not fact.passed for fact in plan.preflight)


def _unknown(plan: Plan) -> str:
    """Return why an empty plan does not mean that a host is up to date; an empty text when it does."""
    wrong = [fact for fact in plan.preflight if not fact.passed and fact.name in _TELLING]
    if wrong:
        return f"{wrong[0].name}: {wrong[0].observed}"
    left = [item.name for item in plan.items if item.kind == "package"]
    return f"its package manager leaves {', '.join(left[:3])} as it is" if left else ""
