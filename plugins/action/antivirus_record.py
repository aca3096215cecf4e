# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Close the antivirus change of a host: what came of it, what is new, and where every detection stands."""

from __future__ import annotations

import contextlib
import typing as t

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus import outcome
from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus.models import Detections
from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus.work import AntivirusAction, Job
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import dump, host_file_name
from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_action import HostError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso


class ActionModule(AntivirusAction):
    """keepwell.fleet.antivirus_record"""

    def work(self, job: Job) -> dict[str, t.Any]:
        """Return the host's outcome."""
        record = job.change()
        if record.outcome == "running":
            said = outcome.sentence(record)
            record.outcome, record.text = "done", f"{said[:1].upper()}{said[1:]}."
        elif record.outcome == "planned":
            record.outcome, record.code = "refused", "not_begun"
            record.text = "The work was not begun: a step before it ended with an error. See the run's output."
        self._write_detections(job)
        if record.transaction and record.outcome != "lost":
            self._tell_host(job, record)
        job.save(record)
        return {"changed": False, "outcome": record.outcome, "msg": f"{record.outcome}: {record.text}"}

    @staticmethod
    def _write_detections(job: Job) -> None:
        """Write down where every detection stands, as the last look at the host tells it."""
        evidence = job.evidence()
        if evidence is None or evidence.observation is None:
            return
        document = Detections(
            run_id=job.run_id,
            client=job.store.client_id,
            host=job.host,
            seen_at=iso(job.now()),
            detections=list(outcome.states(evidence.observation)),
        )
        job.store.write_document(job.run_id, f"detections/{host_file_name(job.host)}.json", dump(document))

    def _tell_host(self, job: Job, record: ChangeRecord) -> None:
        """Let the host know that its work is in evidence; a host that is away is told by the next run."""
        with contextlib.suppress(AnsibleConnectionFailure, HostError):
            self.ask({"operation": "recorded", "id": record.transaction}, job.task_vars)
            self.ask({"operation": "clean", "keep_days": job.options.keep_days}, job.task_vars)
