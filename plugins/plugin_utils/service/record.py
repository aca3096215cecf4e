# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what a client got in the weeks before a run, from evidence and its index.

Runs on the control node.
"""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Iterable, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.proof import AGAINST
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import BAD, ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import DAY
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.registry import CHORES
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.forecast import daily_peaks
from ansible_collections.keepwell.fleet.plugins.plugin_utils.history import History
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.times import find_zone
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Finding, epoch, iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import BackupTest, Run
from ansible_collections.keepwell.fleet.plugins.plugin_utils.service.models import (
    ContactDay,
    DiskOutlook,
    EarlierProblem,
    ServiceRecord,
    Work,
    WorkExample,
)

# What is told of work and promises; and the days that the bars show.
PERIOD_DAYS = 30
BARS_DAYS = 90
SHOWN_EXAMPLES = 3
# Tests after which something has come back, or should have.
RESTORES = ("canary", "sample", "full", "database")
# The most of a disk's past that a small chart can show.
_POINTS = 60


def of_run(store: Store, history: History, run: Run, now: float) -> ServiceRecord:
    """Return the record that belongs to a run which is about to be sealed; history does not know the run yet."""
    begin = now - PERIOD_DAYS * DAY
    earlier = _earlier_run(store, history, begin)
    known = [record for chore in CHORES for record in history.changes(chore, begin)]
    changes = last_words([*known, *run.changes])
    tests = [*history.tests(begin), *_tests(run.backup_tests)]
    looks = history.contacts(now - BARS_DAYS * DAY)
    looks.append((epoch(run.header.started_at), len(run.hosts), sum(1 for host in run.hosts if host.contact.reached)))
    return ServiceRecord(
        begin=iso(begin),
        end=iso(now),
        days=days(looks, changes, run.header.client.timezone),
        disk=_disk(history, run, now),
        work=work(changes, tests, sum(1 for at, *_counts in looks if at >= begin)),
        earlier_at=earlier.ended_at if earlier else None,
        earlier=became(earlier, run) if earlier else [],
    )


def last_words(changes: Iterable[ChangeRecord]) -> list[ChangeRecord]:
    """Return every change once: one that a later run brought to its end is told as that run left it."""
    latest: dict[tuple[str, ...], ChangeRecord] = {}
    for number, record in enumerate(changes):
        key = (record.host, record.chore, record.transaction or str(number))
        latest.pop(key, None)
        latest[key] = record
    return list(latest.values())


def _earlier_run(store: Store, history: History, begin: float) -> Run | None:
    """The run whose findings were the newest when the period began; for a younger client its first one."""
    run_id = history.whole_run_before(begin) or history.first_whole_run()
    return store.read_run(run_id) if run_id else None


def days(looks: Iterable[tuple[float, int, int]], changes: Iterable[ChangeRecord], timezone: str) -> list[ContactDay]:
    """Return the days on which somebody looked, by the client's calendar. ``looks`` are (when, asked, answered)."""
    zone = find_zone(timezone) or datetime.UTC

    def day(at: float) -> str:
        return datetime.datetime.fromtimestamp(at, zone).date().isoformat()

    worked: dict[str, set[str]] = {}
    for record in changes:
        if record.outcome in ("done", *BAD):
            worked.setdefault(day(epoch(record.started_at)), set()).add(record.host)
    found: dict[str, ContactDay] = {}
    for at, asked, answered in looks:
        name = day(at)
        entry = found.setdefault(name, ContactDay(day=name, asked=0, answered=0, worked=len(worked.get(name, ()))))
        entry.asked += asked
        entry.answered += answered
    return [found[name] for name in sorted(found)]


def work(changes: Sequence[ChangeRecord], tests: Sequence[tuple[str, str, float, str, int]], looks: int) -> Work:
    """Return what was done. ``tests`` are (kind, outcome, when, host, files) of backups."""
    done = [record for record in changes if record.outcome == "done"]
    patched = [record for record in done if record.chore == "patching" and record.versions]
    cleaned = [record for record in done if record.chore == "disk_cleanup" and freed(record)]
    restores = [test for test in tests if test[0] in RESTORES]
    antivirus = sum(1 for record in done if record.chore == "antivirus")
    return Work(
        looks=looks,
        jobs=len(patched) + antivirus + len(cleaned) + len(restores),
        updates=sum(len(record.versions) for record in patched),
        updated_hosts=len({record.host for record in patched}),
        reboots=sum(1 for record in done if record.reboot and record.reboot.done),
        cves=len({cve for record in patched for cve in record.cves}),
        antivirus=antivirus,
        cleaned_hosts=len({record.host for record in cleaned}),
        freed_bytes=sum(freed(record) for record in cleaned),
        restores=len(restores),
        restored=sum(1 for test in restores if test[1] == "proven"),
        undone=sum(1 for test in restores if test[1] not in ("proven", *AGAINST)),
        failed=sum(1 for record in changes if record.outcome in (*BAD, "running")),
        examples=_examples(patched, cleaned, restores),
    )


def freed(record: ChangeRecord) -> int:
    """Return the bytes that a cleanup brought."""
    found = record.cleanup.filesystems if record.cleanup else []
    return sum(max(0, entry.actual_bytes or 0) for entry in found)


def _examples(
    patched: Iterable[ChangeRecord],
    cleaned: Iterable[ChangeRecord],
    restores: Iterable[tuple[str, str, float, str, int]],
) -> list[WorkExample]:
    """Return what there is most to tell of, one of each kind first; the newest of equals."""
    kinds: list[list[WorkExample]] = [
        [
            WorkExample(
                at=record.started_at,
                host=record.host,
                kind="updates",
                amount=len(record.versions),
                rebooted=bool(record.reboot and record.reboot.done),
            )
            for record in patched
        ],
        [
            WorkExample(at=iso(at), host=host, kind="restore", amount=files)
            for _kind, outcome, at, host, files in restores
            if outcome == "proven"
        ],
        [
            WorkExample(at=record.started_at, host=record.host, kind="cleanup", amount=freed(record))
            for record in cleaned
        ],
    ]
    ranked = [sorted(kind, key=lambda entry: (entry.amount, entry.at, entry.host), reverse=True) for kind in kinds]
    chosen: list[WorkExample] = []
    for place in range(SHOWN_EXAMPLES):
        chosen += [kind[place] for kind in ranked if len(kind) > place]
    return sorted(chosen[:SHOWN_EXAMPLES], key=lambda entry: (entry.at, entry.host))


def _tests(found: Iterable[BackupTest]) -> list[tuple[str, str, float, str, int]]:
    return [(test.kind, test.outcome, epoch(test.at), test.host, test.files or 0) for test in found]


def became(earlier: Run, run: Run) -> list[EarlierProblem]:
    """Return what needed work then, worst first, and on how many of those hosts it is open now."""
    still: dict[str, set[str]] = {}
    for problem in run.problems:
        still.setdefault(problem.check, set()).update(problem.hosts)
    return [
        EarlierProblem(
            check=problem.check,
            title=problem.title,
            state=problem.state,
            hosts=len(problem.hosts),
            left=len(still.get(problem.check, set()) & set(problem.hosts)),
        )
        for problem in earlier.problems
        if problem.state in ("crit", "act")
    ]


def _disk(history: History, run: Run, now: float) -> DiskOutlook | None:
    """Return the nearest of the forecasts that the checks of this run made."""
    found = [
        (t.cast(float, finding.data["median_days"]), host.host, finding)
        for host in run.hosts
        for result in host.results
        if result.check == "capacity.forecast"
        for finding in result.findings
        if finding.data.get("median_days") is not None
    ]
    if not found:
        return None
    median, host, finding = min(found, key=lambda entry: (entry[0], entry[1], entry[2].object))
    return _outlook(history, host, finding, median, now)


def _outlook(history: History, host: str, finding: Finding, median: float, now: float) -> DiskOutlook:
    known = history.of(host, now)
    sizes = dict(known.series("disk.size_bytes", finding.object))
    used = daily_peaks([(at, value) for at, value in known.series("disk.used_bytes", finding.object) if at in sizes])
    points = [(iso(at), round(100.0 * value / sizes[at], 2)) for at, value in used[-_POINTS:] if sizes[at] > 0]
    low, high = (finding.data.get(name) for name in ("low_days", "high_days"))
    return DiskOutlook(
        host=host,
        mount=finding.object,
        points=points,
        full_at=iso(now + median * DAY),
        early_at=iso(now + (median if low is None else low) * DAY),
        late_at=iso(now + (median if high is None else high) * DAY),
    )
