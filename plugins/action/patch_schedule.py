# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide which hosts are patched together, by what this run saw of them."""

from __future__ import annotations

import typing as t
from collections.abc import Collection, Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils import plan, settings
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
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import guards, kinds, options, rings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.work import CHORE


class ActionModule(ControlAction):
    """keepwell.fleet.patch_schedule"""

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return the batches of this play."""
        store, run_id = run_of(keepwell_variables(self._templar, task_vars), task_vars)
        chosen = options_of_all(CHORE, options.Options, task_vars, options.REGISTERED)
        # A host without patching in its plan is in no ring: it would hold back the others for ever.
        buyers = {host for host in chosen if _buys(task_vars["hostvars"][host])} or set(chosen)
        kind = _kinds(store, run_id, buyers, task_vars["hostvars"])
        here = {str(host) for host in task_vars["ansible_play_hosts_all"]}
        schedule = rings.schedule(
            {
                host: rings.Wish(chosen[host].ring, chosen[host].pair, kind[host], host in here)
                for host in sorted(buyers)
            }
        )
        store.write_document(run_id, guards.SCHEDULE, schedule.model_dump_json().encode("utf-8"))
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


def _kinds(store: Store, run_id: str, hosts: Collection[str], hostvars: Mapping[str, t.Any]) -> dict[str, str]:
    """Return the kind of every host by what is known already; nobody is asked."""
    seen = {
        evidence.result.host: kinds.seen(evidence.observation)
        for evidence in store.read_hosts(run_id)
        if evidence.observation is not None
    }
    earlier = History(store).systems()
    return {
        host: kinds.of(
            seen.get(host, kinds.Known())._replace(
                earlier=earlier.get(host, []),
                connection=_told(hostvars[host], "ansible_connection"),
                shell=_told(hostvars[host], "ansible_shell_type"),
            )
        )
        for host in hosts
    }


def _told(variables: t.Any, name: str) -> str:
    """Return how a host is connected to; "" where that is not said, or cannot be told before the connection."""
    try:
        return str(named(name, variables.get) or "")
    except settings.SettingsError:
        return ""


def _buys(variables: t.Any) -> bool:
    """True when a host's plan has patching; mistakes in a plan were told when the run began."""
    declared, tiers = (named(name, variables.get) for name in ("keepwell_plan", "keepwell_tiers"))
    bought, _problems = plan.build(declared, tiers)
    return bought is not None and bought.buys(CHORE)
