# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Record a run: put it together, seal, sign and index it, and return what a reader wants first."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils import runs, settings, status
from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit import signing, stamping
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import (
    ControlAction,
    inventory,
    keepwell_variables,
    state_dir,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store, current_run
from ansible_collections.keepwell.fleet.plugins.plugin_utils.expected_runs import account, telling
from ansible_collections.keepwell.fleet.plugins.plugin_utils.history import open_history
from ansible_collections.keepwell.fleet.plugins.plugin_utils.processes import this_process
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Run
from ansible_collections.keepwell.fleet.plugins.plugin_utils.watch.book import Book


class ActionModule(ControlAction):
    """keepwell.fleet.record"""

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return the run's headline; ``run`` is the path of run.json, for reports."""
        own = keepwell_variables(self._templar, task_vars)
        now, _simulated = settings.now(own, time.time())
        folder = state_dir(own, task_vars)
        found = current_run(folder, this_process())
        if found is None:
            raise EvidenceError(
                "There is nothing to record: no host matched. Check the inventory (-i), --limit and keepwell_hosts."
            )
        store, run_id = found
        options = settings.audit(own, store.client_id, inventory(task_vars))
        run = runs.conclude(store, run_id, now, signer=signing.signer_of(options))
        if not self._task.check_mode:
            self._tell(store, run, own, now)
        manifest = store.read_manifest(run_id)
        unsigned = (
            [f"The run is recorded, but not signed. {manifest.unsigned}"] if manifest and manifest.unsigned else []
        )
        for problem in [*run.altered_evidence, *unsigned, *stamping.stamp(store, options, run_id)]:
            # A warning would be lost where ok results are not shown.
            self._display.display(f"▲ {problem}")
        result = status.result_of(store, run)
        status.write(store, result["status"])
        return result

    def _tell(self, store: Store, run: Run, own: dict[str, t.Any], now: float) -> None:
        """Tell the outside that the run ended. What goes wrong with that is a warning."""
        client = run.header.client
        newest = Book(store).last()
        beat = (newest.at, newest.hosts) if newest else None
        ledger = account.of(store, open_history(store), client.timezone, now)
        for sentence in telling.tell(own, client.id, run.header.entry, ledger, now, beat):
            self._display.warning(sentence)
