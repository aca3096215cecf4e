# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the life of a run: begin, conclude, seal. Files yes, Ansible no."""

from __future__ import annotations

import contextlib
import typing as t
from collections.abc import Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils import (
    acted,
    assessment,
    counting,
    delta,
    grade,
    hold_files,
    holds,
    planned,
    processes,
    verdicts,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus.models import Plan as AntivirusPlan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.availability import series
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.plans import TestPlan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import DAY
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import waiting
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Signer, Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.expected_runs import account
from ansible_collections.keepwell.fleet.plugins.plugin_utils.history import History, open_history
from ansible_collections.keepwell.fleet.plugins.plugin_utils.lease import Leases
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import (
    Contact,
    DatasetSummary,
    Grade,
    HostResult,
    epoch,
    iso,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import Plan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.policy import build
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import (
    Availability,
    Manifest,
    Run,
    RunHeader,
    Waiting,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.service import record
from ansible_collections.keepwell.fleet.plugins.plugin_utils.watch.book import Book

# What the availability in a report is about; agreements are about months, for which there is a playbook of its own.
AVAILABILITY_S = 30 * DAY
# How far back the first run of all looks for runs that did not take place.
_NEWS_S = 7 * DAY
ABSENT = "it is in the contract and not in the inventory"
NO_EVIDENCE = "it left no evidence: the run ended before it answered"


def begin(store: Store, header: RunHeader, now: float, signer: Signer | None = None) -> list[str]:
    """Seal what earlier runs left unfinished, begin this one, and return the ids of the interrupted runs.

    Raises EvidenceError when evidence cannot be read, when the state directory cannot be written, or when this run is
    to change hosts and another one still does.
    """
    # A damaged end of the chain stops the run here, not after all hosts were looked at.
    chain_end(store, open_history(store))
    leases = Leases(store)
    if header.acting:
        # First of all: a run whose lease was taken over is sealed below, whatever became of its process.
        header = header.model_copy(update={"taken_over": leases.take(header).taken_over})
    try:
        interrupted = []
        for run_id in store.unsealed():
            if _lives(leases, store.read_run(run_id).header, now):
                continue
            with store.deserted(run_id) as deserted:
                if deserted:
                    conclude(store, run_id, now, "interrupted", signer)
                    interrupted.append(run_id)
        store.begin(header)
    except BaseException:
        leases.release(header.run_id, now)
        raise
    return interrupted


def _lives(leases: Leases, header: RunHeader, now: float) -> bool:
    """True when a run's controller process still exists; for one that cannot be looked at, its lease tells."""
    if header.acting and processes.look(header.process) is None:
        return leases.fresh(header.run_id)
    return processes.is_alive(header, now)


def conclude(
    store: Store,
    run_id: str,
    now: float,
    status: t.Literal["complete", "interrupted"] = "complete",
    signer: Signer | None = None,
) -> Run:
    """Put a run together from its files, seal it, add it to history and return it.

    The population comes from the header, not from the answers: a host without evidence is unknown.
    """
    with store.sealing():
        if store.is_sealed(run_id):
            return store.read_run(run_id)  # another run that began at this moment was faster
        header = store.read_run(run_id).header
        history = History(store)
        history.catch_up()
        chain = chain_end(store, history)
        earlier = history.previous_run_id()
        previous = store.read_run(earlier) if earlier else None
        hosts, backups = _hosts(store, header, now)
        altered = altered_before(store, chain)
        try:
            known = hold_files.read(store)
        except EvidenceError as exc:
            # Nothing is changed while a hold cannot be read; what was seen is recorded all the same.
            known, altered = holds.Holds([], []), [*altered, str(exc)]
        run = summarise(header, hosts, previous, now, status, altered)
        if known.holds:
            run.holds = [known.summary(hold) for hold in known.active(now)]
            run.expired_holds = [known.summary(hold) for hold in known.lapsed(_told_until(store), now)]
        run.backups = backups
        run.backup_tests = acted.backup_tests(store.read_verifications(run_id))
        run.plans = acted.plans(store.read_plans(Plan, run_id))
        run.changes = acted.changes(store.read_changes(run_id))
        run.planned_work = planned.work(
            store.read_plans(AntivirusPlan, run_id), store.read_plans(TestPlan, run_id), run.changes
        )
        run.waiting = _waiting(header, history, run.changes)
        run.verdict = verdicts.of_changes(run.changes) + run.verdict
        run.interrupted_runs = _interrupted_since(store, previous)
        if status == "complete":
            since = epoch(previous.header.started_at) if previous else now - _NEWS_S
            ledger = account.of(store, history, header.client.timezone, now)
            run.missed_runs = ledger.missed(header.client.id, now, since)
            run.verdict = verdicts.of_missed(run.missed_runs) + run.verdict
            run.availability = _availability(store, header, now)
            run.service = record.of_run(store, history, run, now)
        store.seal(run, chain[-1] if chain else None, signer)
        history.catch_up()
    if status == "complete":
        # Its seal says the same, should this not be writable any more.
        with contextlib.suppress(EvidenceError):
            Leases(store).release(run_id, now)
    return run


def chain_end(store: Store, history: History) -> list[Manifest]:
    """The two manifests that were sealed last, in order."""
    return [manifest for run_id in history.chain_end(2) if (manifest := store.read_manifest(run_id))]


def _hosts(store: Store, header: RunHeader, now: float) -> tuple[list[HostResult], list[DatasetSummary]]:
    """What was judged of every host of the population, and of every dataset that these declare."""
    answered: dict[str, HostResult] = {}
    backups: dict[str, list[DatasetSummary]] = {}
    for evidence in store.read_hosts(header.run_id):
        answered[evidence.result.host] = evidence.result
        backups[evidence.result.host] = evidence.backups
    defaults = build([])
    hosts = []
    for host in header.population:
        result = answered.get(host)
        if result is None:
            reason = ABSENT if host in header.absent else NO_EVIDENCE
            judging = assessment.Judging(header.run_id, header.client.id, host, (), now, defaults, subset=header.subset)
            evidence = assessment.judge_silence(judging, Contact(reached=False, reason=reason))
            result = evidence.result
            store.write_host(evidence)
        hosts.append(result)
    return hosts, [entry for host in header.population for entry in backups.get(host, ())]


def _availability(store: Store, header: RunHeader, now: float) -> Availability | None:
    """What beats of the watch make of the days before this run; None where there is no watch."""
    book = Book(store)
    oldest = book.first()
    if oldest is None:
        return None
    # A watch that is younger says nothing of the days before it was there.
    begin = max(now - AVAILABILITY_S, oldest)
    beats = book.read(begin - series.MARGIN_S, now)
    return series.availability(beats, header.population, header.targets, begin, now, lambda: book.broken)


def altered_before(store: Store, chain: Sequence[Manifest]) -> list[str]:
    """What was changed in the newest sealed run and in its link to the one before; older ones were looked at then."""
    return [*store.broken_links(chain), *(store.altered(chain[-1]) if chain else [])]


def _waiting(header: RunHeader, history: History, changes: Sequence[ChangeRecord]) -> list[Waiting]:
    """Who missed what, this run included."""
    return waiting.waiting([*history.endings(), *map(waiting.ending, changes)], header.bought)


def _told_until(store: Store) -> float:
    """Until when people know what happened: the end of the newest run that came to its own end."""
    for run_id in reversed(store.sealed_ids()):
        manifest = store.read_manifest(run_id)
        if manifest is not None and manifest.status == "complete":
            return epoch(manifest.ended_at)
    return 0.0


def _interrupted_since(store: Store, previous: Run | None) -> list[str]:
    """Ids of runs sealed as interrupted after the previous complete run."""
    since = previous.header.run_id if previous else ""
    later = [manifest for run_id in store.sealed_ids() if run_id > since and (manifest := store.read_manifest(run_id))]
    later.sort(key=lambda manifest: manifest.seq)
    return [manifest.run_id for manifest in later if manifest.status == "interrupted"]


def summarise(
    header: RunHeader,
    hosts: Sequence[HostResult],
    previous: Run | None,
    now: float,
    status: t.Literal["complete", "interrupted"] = "complete",
    altered: Sequence[str] = (),
) -> Run:
    """Return the run document that these host results make; ``altered`` is evidence that was changed. Pure."""
    checks = assessment.check_infos()
    found = counting.problems(hosts, checks)
    counts = counting.count_run(hosts)
    measured = [host.collected_at for host in hosts if host.collected_at]
    return Run(
        status=status,
        header=header,
        ended_at=iso(now),
        data_as_of=min(measured) if measured else None,
        verdict=verdicts.of_evidence(altered) + verdicts.of_counts(counts),
        counts=counts,
        # A part says nothing of the whole; where evidence was changed, no figure built on it may look sound.
        grade=Grade(model=grade.MODEL, letter=None) if header.partial or altered else grade.grade(hosts, checks, found),
        checks=checks,
        hosts=list(hosts),
        problems=found,
        delta=delta.compare(hosts, checks, previous),
        altered_evidence=list(altered),
    )
