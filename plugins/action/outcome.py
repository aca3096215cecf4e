# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Give a run's exit code after its reports are written: unreachable hosts, changes that failed, findings."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible.errors import AnsibleActionFail

from ansible_collections.keepwell.fleet.plugins.plugin_utils import settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import BAD, ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import SEVERITY
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import ControlAction
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import host_file_name, load
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import HostEvidence
from ansible_collections.keepwell.fleet.plugins.plugin_utils.plan import NOT_COVERED


class ActionModule(ControlAction):
    """keepwell.fleet.outcome"""

    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "evidence": {"type": "path", "required": True},
        "fail_on": {"type": "str", "default": "never", "choices": list(settings.FAIL_ON)},
    }

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return ok, ``unreachable`` for a host that was not reached, or fail for one that is too bad."""
        host = str(task_vars["inventory_hostname"])
        evidence = Path(arguments["evidence"])
        path = evidence / "hosts" / f"{host_file_name(host)}.json"
        # Recording a run leaves none of its hosts without evidence.
        if path.parent.is_dir() and not path.exists():
            return {"changed": False, "skipped": True, "msg": NOT_COVERED}
        result = load(HostEvidence, path).result
        wrong = _change(evidence / "changes", host)
        if not result.contact.reached:
            reason = result.contact.reason
            kind = "unreachable" if reason.startswith("not reachable") else "failed"
            # That work goes on there is more than that nobody answers.
            lost = wrong["msg"] if wrong and "unreachable" in wrong else ""
            return {"changed": False, kind: True, "msg": f"{lost} ({reason})" if lost else reason}
        if wrong:
            return wrong
        limit = arguments["fail_on"]
        if limit != "never" and SEVERITY.index(result.state) >= SEVERITY.index(limit):
            raise AnsibleActionFail(f"{host} is '{result.state}', and keepwell_fail_on is '{limit}'. See the report.")
        return {"changed": False, "msg": f"{host}: {result.state}"}


def _change(folder: Path, host: str) -> dict[str, t.Any] | None:
    """Return how a change counts that did not end as it should; None when there was none, or a good one."""
    for path in sorted(folder.glob(f"{host_file_name(host)}.*.json")):
        record = load(ChangeRecord, path)
        if record.host == host and record.outcome in ("refused", "running", *BAD):
            kind = "unreachable" if record.outcome == "lost" else "failed"
            return {"changed": False, kind: True, "msg": f"{record.chore} {record.outcome}: {record.text}"}
    return None
