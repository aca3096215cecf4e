# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide which hosts are patched together, after every host's variables were checked."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils import plan, settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import waiting
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.work import (
    options_of_all,
    run_of,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import (
    ControlAction,
    keepwell_variables,
    named,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.history import History
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import guards, options, rings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.work import CHORE


class ActionModule(ControlAction):
    """keepwell.fleet.patch_schedule"""

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return the batches of this play."""
        own = keepwell_variables(self._templar, task_vars)
        now, _simulated = settings.now(own, time.time())
        store, run_id = run_of(own, task_vars)
        chosen = options_of_all(CHORE, options.Options, task_vars, options.REGISTERED)
        # A host without patching in its plan is in no ring: it would hold back the others for ever.
        buyers = {host for host in chosen if _buys(task_vars["hostvars"][host])} or set(chosen)
        schedule = rings.schedule({host: (chosen[host].ring, chosen[host].pair) for host in sorted(buyers)})
        store.write_document(run_id, guards.SCHEDULE, schedule.model_dump_json().encode("utf-8"))
        here = {str(host) for host in task_vars["ansible_play_hosts_all"]}
        self._release(store, run_id, {host: entry for host, entry in chosen.items() if host in here}, now)
        header = store.read_run(run_id).header
        first = {entry.host for entry in History(store).waiting(header.bought) if entry.chore == CHORE}
        members = [(batch.ring, [host for host in batch.hosts if host in here]) for batch in schedule.batches]
        others = sorted(here - buyers)
        if others:
            members.append((schedule.ring_of(others[0]), others))
        # Who missed a turn is the first of its ring; the rings stay in their order.
        batches = [{"ring": ring, "hosts": turn} for ring, hosts in members for turn in waiting.turns(hosts, first)]
        return {
            "changed": False,
            "batches": batches,
            "msg": f"{len(here)} hosts in {len(batches)} batches",
        }

    def _release(self, store: Store, run_id: str, chosen: dict[str, options.Options], now: float) -> None:
        """Write down that a person lets hosts go on whose last change failed."""
        known = History(store).changes(CHORE) + History(store).changes("release")
        for host in rings.unresolved(known):
            entry = chosen.get(host)
            if entry is None or not entry.release:
                continue
            store.write_change(
                ChangeRecord(
                    run_id=run_id,
                    client=store.client_id,
                    host=host,
                    chore="release",
                    outcome="released",
                    text=entry.release,
                    approver=entry.approver,
                    ticket=entry.ticket,
                    started_at=iso(now),
                    ended_at=iso(now),
                )
            )
            self._display.display(f"Released: {host} ({entry.release}; {entry.approver})")


def _buys(variables: t.Any) -> bool:
    """True when a host's plan has patching; mistakes in a plan were told when the run began."""
    declared, tiers = (named(name, variables.get) for name in ("keepwell_plan", "keepwell_tiers"))
    bought, _problems = plan.build(declared, tiers)
    return bought is not None and bought.buys(CHORE)
