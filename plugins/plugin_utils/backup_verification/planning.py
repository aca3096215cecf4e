# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: which tests a host does in this run, and what each of them would do.

Runs on the control node; the host is only asked what it would do.
"""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import asking, due
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.options import Assigned
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.plans import (
    Looked,
    PlannedTest,
    TestPlan,
    Told,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.windows_hosts import plans
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.work import Job, VerifyAction
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.guards import Stop
from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_action import HostError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.redact import redact


def plan(action: VerifyAction, job: Job, entries: Sequence[Assigned], closed: Stop | None) -> TestPlan:
    """Return everything that is due, with what the host says that each chosen test would do.

    ``closed`` is why heavy tests may not begin now.
    """
    by_name = {(entry.host, entry.dataset.id): entry for entry in entries}
    known = [(entry.host, job.known(entry)) for entry in entries]
    found = due.choose(known, job.options, job.now(), closed.text if closed is not None else "")
    tests = []
    for planned in found:
        entry = by_name[planned.host, planned.dataset]
        told = _told(action, job, entry, planned) if planned.chosen else None
        test = planned.test
        if told is not None:
            seen = {"files": told.files, "bytes": told.bytes or test.bytes, "target": told.target or test.target}
            test = test.model_copy(update=seen)
        tests.append(
            PlannedTest(
                host=planned.host,
                dataset=planned.dataset,
                protects=entry.dataset.protects,
                tool=entry.dataset.tool,
                repository=entry.dataset.repository,
                test=test,
                chosen=planned.chosen,
                minutes=planned.minutes,
                told=told,
            )
        )
    _keep(job, entries, tests)
    return TestPlan(
        run_id=job.run_id,
        client=job.store.client_id,
        host=job.host,
        made_at=iso(job.now()),
        looked=[_looked(job, entry) for entry in entries],
        tests=tests,
    )


def _told(action: VerifyAction, job: Job, entry: Assigned, planned: due.Planned) -> Told:
    """Return what the host says of a test; that it cannot say is told in the announcement."""
    digests = job.history(entry.host).restored_digests(entry.dataset.id, asking.KNOWN_PATHS)
    request = asking.plan(entry, planned.test, job.options, job.host, digests)
    try:
        if action.on_windows():
            answer = action.ask(plans.request(request), job.task_vars)
            return Told.model_validate(redact(plans.told(entry.dataset, request, answer)))
        return Told.model_validate(redact(action.ask(request, job.task_vars)))
    except HostError as exc:
        return Told(code="no_plan", refused=str(exc))


def _keep(job: Job, entries: Sequence[Assigned], tests: Sequence[PlannedTest]) -> None:
    """Write what is due into the evidence of each dataset."""
    for entry in entries:
        document = job.document(entry)
        document.due = [test.test for test in tests if (test.host, test.dataset) == (entry.host, entry.dataset.id)]
        job.store.write_verification(document)


def _looked(job: Job, entry: Assigned) -> Looked:
    seen = job.document(entry).look
    name = f"{entry.host}/{entry.dataset.id}"
    return Looked(name=name, status=seen.status if seen else "error", detail=seen.detail if seen else "")
