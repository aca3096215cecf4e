# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Show which evidence is older than it has to be kept, and delete it when asked to. No host is contacted."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils import origin, settings, trigger
from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit import retention, signing, telling
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import (
    ControlAction,
    inventory,
    keepwell_variables,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.identifiers import new_run_id
from ansible_collections.keepwell.fleet.plugins.plugin_utils.inventory_sources import one_client
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.processes import this_process
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import RunHeader


class ActionModule(ControlAction):
    """keepwell.fleet.retention"""

    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "client": {"type": "str"},
        "act": {"type": "bool", "default": False},
    }

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return {changed, due, kept, run_id, msg}."""
        one_client(self._loader, task_vars)
        own = keepwell_variables(self._templar, task_vars)
        now, simulated = settings.now(own, time.time())
        client, store, options = telling.evidence_of(own, task_vars, arguments["client"])
        telling.recorded(store)
        if not arguments["act"] or self._task.check_mode:
            what, manifest = retention.plan(store, options, now), None
        else:
            header = RunHeader(
                run_id=new_run_id(now),
                client=client,
                started_at=iso(now),
                population=[],
                partial=[retention.WHY_PARTIAL],
                subset=[],
                trigger=trigger.here(task_vars),
                inventory=inventory(task_vars),
                versions=origin.versions(),
                git_commit=origin.git_commit(str(task_vars.get("playbook_dir", "."))),
                simulated_now=simulated,
                process=this_process(),
            )
            what, manifest = retention.carry_out(store, options, header, now, signing.signer_of(options))
        if manifest and manifest.unsigned:
            self._display.display(f"▲ The deletion is recorded, but not signed. {manifest.unsigned}")
        for entry in what.due:
            self._display.display(f"· {entry.run_id} ended {entry.ended_at}: {len(entry.files)} files")
        for sentence in what.kept:
            self._display.display(f"▲ {sentence}")
        msg = _message(what, options.retention_months, manifest is not None)
        self._display.display(msg)
        return {
            "changed": bool(what.due) and arguments["act"],
            "client": client.id,
            "due": [entry.run_id for entry in what.due],
            "kept": what.kept,
            "run_id": manifest.run_id if manifest else "",
            "msg": msg,
        }


def _message(what: retention.Retention, months: int, done: bool) -> str:
    if not what.due:
        return f"Nothing is to be deleted: evidence is kept for {months} months, since {what.before[:10]}."
    if done:
        return f"Deleted: {what.sentence}. Their manifests are kept, and the chain can be verified as before."
    return f"To be deleted: {what.sentence}. Nothing was deleted: that takes -e keepwell_retention_act=true."
