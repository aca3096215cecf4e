"""Make believable periods: a whole run a day, findings that come and go, some work; the same arguments, the same runs."""

from __future__ import annotations

import functools
import typing as t
from collections.abc import Iterator

import backup_maker
import fleet_maker
import work_maker
from fleet_maker import DAY, NOW

from ansible_collections.keepwell.fleet.plugins.plugin_utils import counting, models, run_document
from ansible_collections.keepwell.fleet.plugins.plugin_utils.period.collect import Collector
from ansible_collections.keepwell.fleet.plugins.plugin_utils.period.models import Period


def runs(count: int, days: int, *, hostile: bool = False) -> Iterator[run_document.Run]:
    """Yield a run a day that end with NOW, oldest first. Every second one is the work of a person."""
    known: dict[str, str] = {}
    for number in range(days):
        at = NOW - (days - 1 - number) * DAY
        run = backup_maker.with_backups(_with_changes(count, 84 + number % 3, hostile), hostile=hostile)
        yield _at(run, f"01KARN3T5V7X9Z1B3D5F7H{number:04d}", at, known, by_hand=bool(number % 2))


@functools.cache
def _with_changes(count: int, seed: int, hostile: bool) -> run_document.Run:
    run = fleet_maker.make_run(count, seed=seed, hostile=hostile)
    return work_maker.with_work(run, hostile=hostile, plans=False)


def _at(run: run_document.Run, run_id: str, at: float, known: dict[str, str], *, by_hand: bool) -> run_document.Run:
    started, ended = models.iso(at - 160), models.iso(at)
    found: dict[str, str] = {}
    hosts = []
    for host in run.hosts:
        results = []
        for result in host.results:
            findings = []
            for finding in result.findings:
                found[finding.key] = known.get(finding.key, models.iso(at - 100))
                findings.append(finding.model_copy(update={"first_seen": found[finding.key], "since": None}))
            results.append(result.model_copy(update={"findings": findings}))
        hosts.append(host.model_copy(update={"results": results}))
    known.clear()
    known.update(found)
    header = run.header.model_copy(
        update={
            "run_id": run_id,
            "started_at": started,
            "trigger": run.header.trigger.model_copy(update={"origin": "terminal" if by_hand else "timer"}),
        }
    )
    moved: dict[str, t.Any] = {"run_id": run_id, "started_at": started, "ended_at": ended}
    return run.model_copy(
        update={
            "header": header,
            "ended_at": ended,
            "hosts": hosts,
            "counts": counting.count_run(hosts),
            "problems": counting.problems(hosts, run.checks),
            "changes": [record.model_copy(update=moved) for record in run.changes],
            "backup_tests": [test.model_copy(update={"at": models.iso(at - 60)}) for test in run.backup_tests],
        }
    )


def made(count: int, days: int = 4, *, hostile: bool = False) -> tuple[run_document.Run, Period]:
    """Return a period and the run that it ended with. Its first day is before the period."""
    collector = None
    begin = models.iso(NOW - (days - 1.5) * DAY)
    for run in runs(count, days, hostile=hostile):
        if collector is None:
            collector = Collector(run)
        else:
            collector.add(run, head="5c" * 32)
    assert collector is not None
    last = t.cast(run_document.Run, collector.last)
    end = models.iso(NOW + 1)
    return last, collector.period(last.header.client, begin, end, begin[:10], end[:10])
