# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make a client's history index anew from its evidence."""

from __future__ import annotations

import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils import settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import (
    ControlAction,
    keepwell_variables,
    plain,
    state_dir,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.history import History
from ansible_collections.keepwell.fleet.plugins.plugin_utils.inventory_sources import one_client
from ansible_collections.keepwell.fleet.plugins.plugin_utils.watch.book import Book


class ActionModule(ControlAction):
    """keepwell.fleet.history"""

    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {"client": {"type": "str"}}

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return how many runs the index has now, and whether its content differs from before."""
        one_client(self._loader, task_vars)
        own = keepwell_variables(self._templar, task_vars)
        sources = [str(source) for source in plain(task_vars.get("ansible_inventory_sources") or [])]
        client = arguments["client"] or settings.client(own.get("keepwell_client"), sources).id
        store = Store(state_dir(own, task_vars), client)
        if not store.runs.is_dir():
            raise EvidenceError(f"Client '{client}' has no evidence below {store.root}. Check the inventory (-i).")
        history = History(store)
        if self._task.check_mode:
            behind = history.behind()
            return {"changed": behind, "client": client, "msg": "The index would be made anew from evidence."}
        with store.sealing():
            before = history.dump() if history.ready() else None
            runs = history.rebuild()
            changed = history.dump() != before
        seals = store.sealed()
        gone = store.deleted_files(seals)
        altered = [
            *store.broken_links(seals),
            *(problem for seal in seals for problem in store.altered(seal, gone.get(seal.run_id, ()))),
        ]
        altered += Book(store).verify()
        return {
            "changed": changed,
            "client": client,
            "runs": runs,
            "altered": altered,
            "msg": f"Runs of {client} in the index: {runs}. Evidence changed since: {len(altered)}.",
        }
