# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Close the change record of a host: what became free, and what still asks for room."""

from __future__ import annotations

import contextlib
import typing as t

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import count_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup import wanting
from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup.work import (
    CleanupAction,
    Job,
    freed_text,
    part_of,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_action import HostError


class ActionModule(CleanupAction):
    """keepwell.fleet.disk_cleanup_record"""

    def work(self, job: Job) -> dict[str, t.Any]:
        """Return the host's outcome."""
        record = job.change()
        if record.outcome == "running":
            self._close(job, record)
        if record.transaction and record.outcome != "lost":
            with contextlib.suppress(AnsibleConnectionFailure, HostError):
                self.ask({"operation": "recorded", "id": record.transaction}, job.task_vars)
                self.ask({"operation": "clean", "keep_days": job.options.keep_days}, job.task_vars)
        job.save(record)
        return {"changed": False, "outcome": record.outcome, "msg": f"{record.outcome}: {record.text}"}

    @staticmethod
    def _close(job: Job, record: ChangeRecord) -> None:
        part = part_of(record)
        before, after = job.store.read_before(job.run_id, job.host), job.evidence()
        if before is None or after is None:
            record.outcome, record.code = "failed", "not_verified"
            record.text = f"{freed_text(part)}. The host was not assessed again afterwards: look yourself."
            return
        record.outcome = "done"
        view = job.view(after)
        still = wanting.filesystems(view, after.result.results, job.options)
        for want in still:
            for entry in part.filesystems:
                if entry.mount == want.mount:
                    entry.growers, entry.growers_partial = wanting.growers(view, want.mount)
        record.residual = [_left(view, want) for want in still]
        grown = [entry.text for entry in part.growth if entry.outcome == "done"]
        odd = [entry.mount for entry in part.filesystems if not entry.explained]
        record.text = "; ".join([freed_text(part), *grown])
        if odd:
            record.text += f". On {', '.join(odd)} another amount became free than was deleted, for no known reason"
        if still:
            record.text += f". {count_text(len(still), 'filesystem')} still asked for room"
        record.text += "."


def _left(view: t.Any, want: wanting.Wanting) -> str:
    """Return a filesystem that still asks for room, with what is large on it."""
    found, _partial = wanting.growers(view, want.mount)
    names = ", ".join(f"{entry.path} ({entry.unit or entry.package or entry.user})" for entry in found[:3])
    return f"{want.mount} still asks for room ({', '.join(want.asked_by)})" + (f"; look at {names}" if names else "")
