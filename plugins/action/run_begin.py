# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Begin a run: check every variable before the first connection, seal interrupted runs, write down the population."""

from __future__ import annotations

import os
import time
import typing as t
from collections.abc import Mapping

from ansible.utils.vars import load_extra_vars

from ansible_collections.keepwell.fleet.plugins.plugin_utils import (
    origin,
    runs,
    scheduled,
    settings,
    trigger,
    validation,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit import signing
from ansible_collections.keepwell.fleet.plugins.plugin_utils.awx import kept
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import choosing
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.work import refuse_lost_words
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import (
    ControlAction,
    inventory,
    keepwell_variables,
    state_dir,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.expected_runs import declared
from ansible_collections.keepwell.fleet.plugins.plugin_utils.identifiers import new_run_id
from ansible_collections.keepwell.fleet.plugins.plugin_utils.inventory_sources import refuse_two_clients
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows import preview
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.plan import SERVICES
from ansible_collections.keepwell.fleet.plugins.plugin_utils.processes import this_process
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import RunHeader
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule import installed
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.drift import Standing
from ansible_collections.keepwell.fleet.plugins.plugin_utils.service.agreement import agreed


class ActionModule(ControlAction):
    """keepwell.fleet.run_begin"""

    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "subset": {"type": "list", "elements": "str", "default": ["all"]},
        "maintain": {"type": "bool", "default": False},
        "acting": {"type": "list", "elements": "str", "choices": list(SERVICES), "default": []},
    }

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return the run's id, its population, and what interrupted runs were found."""
        own = keepwell_variables(self._templar, task_vars)
        now, simulated = settings.now(own, time.time())
        sources = [os.path.abspath(source) if os.path.exists(source) else source for source in inventory(task_vars)]
        hosts = sorted(str(host) for host in task_vars["ansible_play_hosts_all"])
        subset = settings.subset(arguments["subset"])
        refuse_lost_words(task_vars)
        refuse_two_clients(self._loader, sources, load_extra_vars(self._loader))
        found = validation.look(task_vars, sources, hosts, now)
        found.refuse()
        for sentence in found.warnings:
            # A warning would go with the result, of which nothing is shown when it is ok (ansible.cfg).
            self._display.display(f"▲ {sentence}")
        told = list(found.told.values())
        client = told[0].client
        uncovered = [host for host in hosts if not found.told[host].covers(host)]
        # Whether everything of the contract is in the inventory can only be told by a run over all of it.
        partial = self._partial(hosts, task_vars, subset)
        everyone = {str(host) for host in task_vars["groups"]["all"]}
        absent = [] if partial else sorted({*told[0].contract.hosts} - everyone)
        population = sorted({*hosts, *absent} - {*uncovered})
        if not population:
            raise settings.SettingsError([f"No host is covered by a plan: {validation.some(uncovered)}."])
        bought = choosing.bought({host: found.told[host].plan for host in hosts if host not in uncovered})
        acts: dict[str, list[str]] = {}
        if arguments["maintain"] and not self._task.check_mode:
            acts = choosing.acting(found.wishes, found.chores, bought, found.services)
        acting = [] if self._task.check_mode else sorted({*arguments["acting"], *acts})
        _refuse_what_nobody_bought(acting, told, now)
        store = Store(state_dir(own, task_vars), client.id)
        header = RunHeader(
            run_id=new_run_id(now),
            client=client,
            started_at=iso(now),
            population=population,
            absent=absent,
            uncovered=uncovered,
            partial=partial,
            subset=subset,
            acting=acting,
            agreement=agreed({host: told for host, told in found.told.items() if host not in uncovered}, now),
            playbook=scheduled.playbook(),
            entry=scheduled.entry(own, told[0].schedule),
            targets=_targets(found.told),
            trigger=trigger.here(task_vars, own),
            bought=bought,
            inventory=sources,
            versions=origin.versions(),
            git_commit=origin.git_commit(str(task_vars.get("playbook_dir", "."))),
            simulated_now=simulated,
            holidays=preview.holidays_frozen((entry.calendar for entry in told), now),
            process=this_process(),
        )
        declared.note(store, own.get("keepwell_schedule") or {}, client.timezone, now)
        signer = signing.signer_of(settings.audit(own, client.id, sources))
        interrupted = runs.begin(store, header, now, signer)
        taken = store.read_run(header.run_id).header.taken_over
        if taken is not None:
            self._display.display(f"▲ Took over the lease of run {taken.run_id} ({taken.holder}). {taken.why}")
        standing = installed.standing(client.id, store.root, told[0].schedule, client.timezone)
        written = kept.digest(told[0].awx, told[0].schedule, client.timezone)
        in_awx = kept.standing(store.root, written)
        if standing is not None or in_awx is not None:
            store.write_standing(header.run_id, (standing or Standing()).model_copy(update={"awx": in_awx}))
        return {
            "changed": False,
            "run_id": header.run_id,
            "client": client.id,
            "evidence": str(store.run_dir(header.run_id)),
            "interrupted_runs": interrupted,
            "bought": bought,
            "acting": acts,
            "taken_over": taken.run_id if taken else "",
            "partial": header.partial,
            "msg": f"Run {header.run_id} of {client.name} over {len(population)} hosts.",
        }

    def _partial(self, population: list[str], task_vars: dict[str, t.Any], subset: list[str]) -> list[str]:
        """Return why this run does not cover everything."""
        reasons = []
        everyone = {str(host) for host in task_vars["groups"]["all"]}
        if len(population) < len(everyone):
            reasons.append(f"{len(population)} of {len(everyone)} hosts of the inventory were asked for")
        if subset != ["all"]:
            reasons.append(f"only these probes: {', '.join(subset)}")
        if self._task.check_mode:
            reasons.append("check mode")
        return reasons


def _refuse_what_nobody_bought(acting: list[str], told: list[settings.Settings], now: float) -> None:
    """Raise SettingsError for a chore that no host's plan has, and for all of them where no contract is in force.

    Single hosts without it are left out by the chore.
    """
    unsigned = [entry.unsigned(now) for entry in told]
    if acting and all(unsigned):
        chores = " and ".join(acting)
        without = " and ".join(f"{chore}_act" for chore in acting)
        raise settings.SettingsError(
            [f"{chores} was asked to change hosts. {unsigned[0]} Renew it, or only look: leave out {without}."]
        )
    missing = [chore for chore in acting if not any(entry.plan and entry.plan.buys(chore) for entry in told)]
    if missing:
        raise settings.SettingsError(
            [
                f"{chore} was asked to change hosts, but no service plan here has it. Add '{chore}' to "
                f"keepwell_plan.services of this client, or only look: leave out {chore}_act."
                for chore in missing
            ]
        )


def _targets(told: Mapping[str, settings.Settings]) -> dict[str, float]:
    """Return the agreed availability of every host that has one."""
    agreed = {host: entry.availability_target for host, entry in sorted(told.items())}
    return {host: percent for host, percent in agreed.items() if percent is not None}
