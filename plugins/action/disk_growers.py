# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""See what is large on the filesystems that ask for room, add it to what the run saw of the host, and judge again."""

from __future__ import annotations

import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils import assessment, history
from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup import wanting
from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup.work import CleanupAction, Job
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import HostEvidence


class ActionModule(CleanupAction):
    """keepwell.fleet.disk_growers"""

    def work(self, job: Job) -> dict[str, t.Any]:
        """Return the filesystems that were looked at."""
        evidence = job.seen()
        wanted = [want.mount for want in wanting.filesystems(job.view(evidence), evidence.result.results, job.options)]
        if not wanted:
            return {"changed": False, "filesystems": [], "msg": "no filesystem asks for room"}
        limits = job.options.growers
        request = {"operation": "growers", "mounts": wanted, "entries": limits.entries, "seconds": limits.seconds}
        found = self.ask(request, job.task_vars)["filesystems"]
        job.store.write_host(self._judged(job, evidence, found))
        partial = [entry["mount"] for entry in found if entry["partial"]]
        more = f"; not to the end: {', '.join(partial)}" if partial else ""
        return {"changed": False, "filesystems": wanted, "msg": f"looked at {', '.join(wanted)}{more}"}

    @staticmethod
    def _judged(job: Job, evidence: HostEvidence, found: list[dict[str, t.Any]]) -> HostEvidence:
        """Return the evidence with what grows in it, judged by the same checks as before."""
        document = dict(evidence.observation or {})
        disks = dict(document["probes"]["disks"])
        disks["data"] = {**disks["data"], "growers": found}
        document["probes"] = {**document["probes"], "disks": disks}
        now = job.now()
        judging = assessment.Judging(
            run_id=job.run_id,
            client=job.store.client_id,
            host=job.host,
            groups=evidence.result.groups,
            now=now,
            policy=job.settings.policy,
            waivers=job.settings.waivers,
            exposure=job.settings.exposure,
        )
        known = history.History(job.store).of(job.host, now)
        return assessment.judge_observation(judging, document, evidence.result.contact, known, known.finding_first_seen)
