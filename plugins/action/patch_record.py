# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Close the change record of a host: what is left, what is new, what came of it."""

from __future__ import annotations

import contextlib
import typing as t

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_action import HostError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import HostEvidence
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import fingerprint, residual
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.work import Job, PatchAction
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.wua import outcome


class ActionModule(PatchAction):
    """keepwell.fleet.patch_record"""

    def work(self, job: Job) -> dict[str, t.Any]:
        """Return the host's outcome."""
        record = job.change()
        if record.outcome == "running":
            self._close(job, record)
        elif record.outcome == "planned" and not self._task.check_mode:
            # Whatever ended the step that was to carry it out, the host still has to get its updates.
            record.outcome, record.code = "refused", "not_started"
            record.text = "Nothing was begun: a step before the work ended with an error. See the run's output."
        if record.transaction and record.outcome != "lost":
            self._tell_host(job, record)
        job.save(record)
        return {"changed": False, "outcome": record.outcome, "msg": f"{record.outcome}: {record.text}"}

    def _close(self, job: Job, record: ChangeRecord) -> None:
        if not any(step.name == "verify" and step.outcome == "done" for step in record.steps):
            record.outcome, record.code = "failed", "not_verified"
            record.text = "The change was not verified: a step before it ended with an error. See the run's output."
            return
        plan, after, before = job.plan(), job.evidence(), job.store.read_before(job.run_id, job.host)
        record.outcome = "done"
        if plan is not None:
            moved = {version.name for version in record.versions}
            closed = [item for item in plan.items if item.name in moved or item.kind == "patch"]
            record.advisories = sorted({name for item in closed for name in item.advisories})
            record.cves = sorted({name for item in closed for name in item.cves})
            if after is not None:
                record.residual = residual.explain(plan, after.observation or {}, record.failures)
        record.findings_new = _new_findings(before, after)
        if after is not None and not record.residual:
            # Whatever kept more of it from being begun: there is no more.
            record.stopped = record.code = ""
        left = f"{len(record.residual)} left" if record.residual else "nothing of the plan is left"
        left += f", not begun: {record.stopped}" if record.stopped else ""
        if self.on_windows():
            outcome.close(record, left)
            return
        count = len(record.versions)
        record.text = f"{count} package{'' if count == 1 else 's'} changed and verified; {left}."

    def _tell_host(self, job: Job, record: ChangeRecord) -> None:
        """Let the host know that its transaction is in evidence; a host that is away is told by the next run."""
        with contextlib.suppress(AnsibleConnectionFailure, HostError):
            self.ask({"operation": "recorded", "id": record.transaction}, job.task_vars)
            self.ask({"operation": "clean", "keep_days": job.options.keep_days}, job.task_vars)


def _new_findings(before: HostEvidence | None, after: HostEvidence | None) -> list[str]:
    """Checks that found something after the change and not before; what patching itself moves is left out."""
    if before is None or after is None:
        return []
    known = {finding.key for result in before.result.results for finding in result.findings}
    return sorted(
        {
            f"{result.check}: {finding.object}".rstrip(": ")
            for result in after.result.results
            if result.check not in fingerprint.MOVED_BY_PATCHING
            for finding in result.findings
            if finding.key not in known and finding.state in ("act", "crit")
        }
    )
