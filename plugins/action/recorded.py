# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find a recorded run, so that its reports can be made again from evidence alone."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils import scheduled, settings, status
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import (
    ControlAction,
    keepwell_variables,
    plain,
    state_dir,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.expected_runs import errands
from ansible_collections.keepwell.fleet.plugins.plugin_utils.inventory_sources import one_client
from ansible_collections.keepwell.fleet.plugins.plugin_utils.policy import nearest


class ActionModule(ControlAction):
    """keepwell.fleet.recorded"""

    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {"client": {"type": "str"}, "run_id": {"type": "str"}}

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return the same as keepwell.fleet.record does for the run."""
        one_client(self._loader, task_vars)
        own = keepwell_variables(self._templar, task_vars)
        sources = [str(source) for source in plain(task_vars.get("ansible_inventory_sources") or [])]
        client = arguments["client"] or settings.client(own.get("keepwell_client"), sources).id
        store = Store(state_dir(own, task_vars), client)
        seals = store.sealed()
        if not seals:
            raise EvidenceError(
                f"Client '{client}' has no recorded run below {store.root}. "
                "Check the inventory (-i) and keepwell_state_dir, or run playbooks/assess.yml first."
            )
        wanted = arguments["run_id"]
        if wanted and wanted not in {seal.run_id for seal in seals}:
            raise EvidenceError(
                f"Run '{wanted}' of client '{client}' is not recorded.{nearest(wanted, store.run_ids())}"
            )
        whole = [seal for seal in seals if seal.status == "complete" and not seal.partial] or seals
        run_id = wanted or whole[-1].run_id
        deleted = store.deleted_files(seals).get(run_id, set())
        if not (store.run_dir(run_id) / "run.json").exists() and "run.json" in deleted:
            raise EvidenceError(
                f"Run '{run_id}' cannot be reported on: its evidence was deleted because its time was over "
                "(keepwell_retention_months). Its manifest is kept."
            )
        altered = store.altered(next(seal for seal in seals if seal.run_id == run_id), deleted)
        if altered:
            raise EvidenceError(
                f"No report is made of changed evidence: {'; '.join(altered[:3])}. "
                "Restore it from a backup, or report on another run (keepwell_run_id)."
            )
        if not self._task.check_mode:
            now, _simulated = settings.now(own, time.time())
            errands.note(store, "report", scheduled.entry(own, own.get("keepwell_schedule") or {}), now)
        return status.result_of(store, store.read_run(run_id))
