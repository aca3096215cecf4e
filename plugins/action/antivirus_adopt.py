# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take up antivirus work that an earlier run began on a host and could not follow to its end."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus import transaction
from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus.work import AntivirusAction, Job
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import following
from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_action import HostError


class ActionModule(AntivirusAction):
    """keepwell.fleet.antivirus_adopt"""

    def work(self, job: Job) -> dict[str, t.Any]:
        """Return the ids of the work that was followed to its end."""
        record = job.change()
        if record.outcome not in ("planned", "nothing"):
            return {"changed": False, "adopted": [], "msg": "this run has looked before"}
        try:
            adopted = transaction.take_up(self, job, record)
        except AnsibleConnectionFailure as exc:
            if record.transaction:
                following.lose(job, record, exc, "adopt")
                job.save(record)
            raise
        except HostError as exc:
            if record.transaction:
                following.leave(job, record, exc, "adopt")
                job.save(record)
            raise
        text = f"took up {', '.join(adopted)}" if adopted else "nothing was left by an earlier run"
        return {"changed": False, "adopted": adopted, "msg": text}
