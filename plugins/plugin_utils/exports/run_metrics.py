# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: a run as metrics. Pure.

Names and labels are part of the contract with whoever alerts on them: client, check, pillar, state, chore, outcome,
grade, and host where it is asked for. No label holds a text of a host.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ansible_collections.keepwell.fleet.plugins.plugin_utils import counting
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import STATES
from ansible_collections.keepwell.fleet.plugins.plugin_utils.exports.prometheus import Metric, text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.grade import LETTERS
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Counts, HostResult, epoch
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Run


def metrics_file(run: Run, *, hosts: bool = False) -> bytes:
    """Return the metrics of a run as a file; with ``hosts`` also the results of every host by its name."""
    return text(run_metrics(run, hosts=hosts))


def run_metrics(run: Run, *, hosts: bool = False) -> list[Metric]:
    """Return the metrics of a run. The counts are those of the one counting function."""
    client = run.header.client.id
    counts = counting.count_run(run.hosts)
    found = [
        *_times(run, client),
        _by_state("keepwell_hosts", "Hosts by state in the newest whole run.", client, counts.hosts),
        _by_state("keepwell_results", "Results (check x host) by state in that run.", client, counts.results),
        _one(
            "keepwell_hosts_unreached",
            "Hosts that gave no observation.",
            client,
            sum(not host.contact.reached for host in run.hosts),
        ),
        _one("keepwell_results_not_applicable", "Checks that do not apply to a host.", client, counts.not_applicable),
        _checks(run, client),
        *_grade(run, client),
        *_backups(run, client),
        _changes(run, client),
    ]
    return [*found, _hosts(run.hosts, client)] if hosts else found


def _one(name: str, meaning: str, client: str, value: float) -> Metric:
    metric = Metric(name, meaning)
    metric.add(value, client=client)
    return metric


def _times(run: Run, client: str) -> Iterable[Metric]:
    if run.ended_at:
        yield _one(
            "keepwell_run_last_success_timestamp_seconds",
            "End of the newest whole run, in seconds since 1970.",
            client,
            epoch(run.ended_at),
        )
        yield _one(
            "keepwell_run_duration_seconds",
            "How long that run took.",
            client,
            epoch(run.ended_at) - epoch(run.header.started_at),
        )
    if run.data_as_of:
        yield _one(
            "keepwell_data_timestamp_seconds", "Oldest measurement of a host in it.", client, epoch(run.data_as_of)
        )


def _by_state(name: str, meaning: str, client: str, counts: Counts) -> Metric:
    metric = Metric(name, meaning)
    for state in STATES:
        metric.add(getattr(counts, state), client=client, state=state)
    return metric


def _checks(run: Run, client: str) -> Metric:
    """Every check in every state: a series that comes and goes could not be compared with its own past."""
    metric = Metric("keepwell_check_results", "Hosts by state, for each check.")
    states: dict[str, list[str]] = {check.id: [] for check in run.checks}
    for host in run.hosts:
        for result in host.results:
            states.setdefault(result.check, []).append(result.state)
    for check, found in sorted(states.items()):
        amounts = Counter(found)
        for state in STATES:
            metric.add(amounts[state], client=client, check=check, state=state)
    return metric


def _grade(run: Run, client: str) -> Iterable[Metric]:
    grade = run.grade
    letter = Metric("keepwell_grade", "1 for the grade that the run has; none where it has no grade.")
    for _limit, name in LETTERS:
        letter.add(bool(grade and grade.letter == name), client=client, grade=name)
    yield letter
    if grade and grade.score is not None:
        yield _one("keepwell_grade_score", "Score behind the grade before its caps, 0 to 100.", client, grade.score)
    pillars = Metric("keepwell_pillar_score", "Score of a pillar, 0 to 100; none where nothing was judged.")
    for pillar in grade.pillars if grade else []:
        if pillar.score is not None:
            pillars.add(pillar.score, client=client, pillar=pillar.name)
    yield pillars


def _backups(run: Run, client: str) -> Iterable[Metric]:
    yield _one("keepwell_backup_datasets", "Declared datasets.", client, len(run.backups))
    yield _one(
        "keepwell_backup_datasets_proven",
        "Datasets that are fresh and were restored within the agreed interval.",
        client,
        sum(entry.proven for entry in run.backups),
    )


def _changes(run: Run, client: str) -> Metric:
    metric = Metric("keepwell_changes", "Changes of the newest whole run, by chore and outcome.")
    for (chore, outcome), number in sorted(Counter((entry.chore, entry.outcome) for entry in run.changes).items()):
        metric.add(number, client=client, chore=chore, outcome=outcome)
    return metric


def _hosts(hosts: Iterable[HostResult], client: str) -> Metric:
    metric = Metric("keepwell_host_results", "Results by state, for each host.")
    for host in hosts:
        amounts = Counter(result.state for result in host.results)
        for state in STATES:
            metric.add(amounts[state], client=client, host=host.host, state=state)
    return metric
