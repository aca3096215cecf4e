# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: status.json, the finer exit code for scripts, and the headline for terminals."""

from __future__ import annotations

import os
import typing as t
from collections import Counter
from zoneinfo import ZoneInfo

from ansible_collections.keepwell.fleet.plugins.plugin_utils import acted, holds
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError, canonical, write_atomic
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.times import clock, find_zone
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import RunCounts, epoch
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import HoldSummary, Run

TOP_PROBLEMS = 5
Outcome = t.Literal["healthy", "watch", "incomplete", "act", "crit"]


def counted(run: Run) -> RunCounts:
    """Return the counts of a run that was put together. Raises EvidenceError for one that is still running."""
    if run.counts is None:
        raise EvidenceError(f"Run {run.header.run_id} has not ended: there is nothing to count yet.")
    return run.counts


def outcome_of(counts: RunCounts) -> Outcome:
    """Return the worst of ``healthy``, ``watch``, ``incomplete`` (unknown), ``act``, ``crit``."""
    hosts = counts.hosts
    outcomes: tuple[tuple[Outcome, int], ...] = (
        ("crit", hosts.crit),
        ("act", hosts.act),
        ("incomplete", hosts.unknown),
        ("watch", hosts.watch),
    )
    return next((name for name, number in outcomes if number), "healthy")


def of(run: Run) -> dict[str, t.Any]:
    """Return what a script or a monitoring system asks of the newest run."""
    counts = counted(run)
    hosts = counts.hosts
    return {
        "client": run.header.client.id,
        "run_id": run.header.run_id,
        "ended_at": run.ended_at,
        "partial": bool(run.header.partial),
        "outcome": outcome_of(counts),
        "verdict": run.verdict,
        "grade": run.grade.letter if run.grade else None,
        "hosts": hosts.model_dump(),
        "results": counts.results.model_dump(),
        "unreached": [host.host for host in run.hosts if not host.contact.reached],
        "changes": acted.outcomes(run.changes),
        "missed_runs": sum(entry.count for entry in run.missed_runs),
        "waiting": [entry.model_dump() for entry in run.waiting],
        "planned_hosts": sum(1 for plan in run.plans if plan.moves),
        "holds": len(run.holds),
        "datasets": len(run.backups),
        "proven_datasets": sum(entry.proven for entry in run.backups),
    }


def write(store: Store, document: dict[str, t.Any]) -> None:
    """Put status.json into the client's folder; a partial run leaves the last whole one in place."""
    name = "status-partial.json" if document["partial"] else "status.json"
    write_atomic(store.root / name, canonical(document))


def headline(run: Run, evidence: str) -> dict[str, t.Any]:
    """Return what the summary callback prints: plain values, already in order."""
    counts = counted(run)
    return {
        "client": run.header.client.name,
        "run_id": run.header.run_id,
        "verdict": run.verdict,
        "grade": _grade(run),
        "partial": run.header.partial,
        "hosts": counts.hosts.model_dump(),
        "results": counts.results.model_dump(),
        "problems": [
            {
                "state": problem.state,
                "title": problem.title,
                "observed": problem.observed,
                "hosts": problem.hosts[:3],
                "more_hosts": max(0, len(problem.hosts) - 3),
            }
            for problem in run.problems
            if problem.state in ("crit", "act")
        ],
        "unreached": [
            {"host": host.host, "reason": host.contact.reason} for host in run.hosts if not host.contact.reached
        ],
        "interrupted_runs": run.interrupted_runs,
        "waiting": [
            {"host": entry.host, "chore": entry.chore.replace("_", " "), "since": entry.since[:10]}
            for entry in run.waiting
        ],
        "taken_over": _taken_over(run),
        "holds": [_hold(run, entry) for entry in run.holds],
        "expired_holds": [_hold(run, entry) for entry in run.expired_holds],
        "missed_runs": [entry.text for entry in run.missed_runs],
        "work": _work(run),
        "backups": _backups(run),
        "evidence": evidence,
    }


def _work(run: Run) -> dict[str, t.Any] | None:
    """Return what chores did and would do in few words; None for a run that only looked."""
    if not (run.header.acting or run.changes or run.plans):
        return None
    held: dict[str, list[str]] = {}
    for record in run.changes:
        if record.outcome == "skipped":
            held.setdefault(record.text or record.code, []).append(record.host)
    pending = [plan for plan in run.plans if plan.moves]
    chores = {record.chore for record in run.changes if record.chore != "release"} | set(run.header.acting)
    cleanups = [record.cleanup for record in run.changes if record.cleanup]
    return {
        "chores": sorted(chores | ({"patching"} if run.plans else set())),
        "freed_bytes": sum(entry.actual_bytes or 0 for part in cleanups for entry in part.filesystems),
        "predicted_bytes": sum(entry.predicted_bytes for part in cleanups for entry in part.filesystems),
        "outcomes": acted.outcomes(run.changes),
        "bad": [
            {"host": record.host, "outcome": record.outcome, "text": record.text}
            for record in acted.asking(run.changes)
        ],
        "held": [{"text": text, "hosts": hosts} for text, hosts in held.items()],
        "planned": len(pending),
        "updates": sum(sum(plan.items.values()) for plan in pending),
        "not_ready": [plan.host for plan in run.plans if not plan.ready],
    }


def _taken_over(run: Run) -> str:
    taken = run.header.taken_over
    return f"run {taken.run_id} ({taken.holder}, since {taken.since}). {taken.why}" if taken else ""


def _hold(run: Run, hold: HoldSummary) -> str:
    """Return a hold in a line: whom it is about, until when, why, and who placed it."""
    zone = find_zone(run.header.client.timezone) or ZoneInfo("UTC")
    whom = holds.names(hold.hosts, hold.except_hosts)
    return f"{whom} until {clock(epoch(hold.until), zone)}: {hold.reason.rstrip('.')} (placed by {hold.by})"


def _backups(run: Run) -> dict[str, t.Any] | None:
    """Return how many datasets are proven, and why the others are not; None where none is declared."""
    if not run.backups:
        return None
    return {
        "total": len(run.backups),
        "proven": sum(entry.proven for entry in run.backups),
        "tests": dict(sorted(Counter(test.outcome for test in run.backup_tests).items())),
        "open": [
            {"host": entry.host, "dataset": entry.dataset, "reason": entry.reason}
            for entry in run.backups
            if not entry.proven
        ],
    }


def near(path: str) -> str:
    """Return a path as a person at this terminal would type it: relative below the working folder, else absolute."""
    relative = os.path.relpath(path)
    return os.path.abspath(path) if relative.startswith("..") else relative


def result_of(store: Store, run: Run) -> dict[str, t.Any]:
    """Return what the record and recorded actions tell of a run."""
    folder = store.run_dir(run.header.run_id)
    return {
        "changed": False,
        "run": str(folder / "run.json"),
        "client": store.client_id,
        "client_dir": str(store.root),
        "partial": run.header.partial,
        "date": run.header.started_at[:10],
        "status": of(run) | _seal(store, run),
        "summary": headline(run, near(str(folder))),
        "msg": run.verdict,
    }


def _seal(store: Store, run: Run) -> dict[str, t.Any]:
    """Return what somebody elsewhere should note of the evidence: the hash of its manifest, and who signed it."""
    manifest = store.read_manifest(run.header.run_id)
    if manifest is None:
        return {"head": None, "signed_by": None}
    return {"head": store.manifest_hash(run.header.run_id), "signed_by": manifest.signed_by}


def _grade(run: Run) -> str:
    return (run.grade.text if run.grade else "") or "none"
