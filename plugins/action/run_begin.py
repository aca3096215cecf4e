# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Begin a run: check every variable before the first connection, seal interrupted runs, write down the population."""

from __future__ import annotations

import os
import subprocess
import time
import typing as t
from pathlib import Path

import yaml
from ansible import __version__ as core_version
from ansible.utils.vars import load_extra_vars

from ansible_collections.keepwell.fleet.plugins.plugin_utils import grade, runs, settings, trigger, validation
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import (
    ControlAction,
    inventory,
    keepwell_variables,
    state_dir,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.identifiers import new_run_id
from ansible_collections.keepwell.fleet.plugins.plugin_utils.inventory_sources import refuse_two_clients
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.plan import SERVICES
from ansible_collections.keepwell.fleet.plugins.plugin_utils.processes import this_process
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import RunHeader
from ansible_collections.keepwell.fleet.plugins.plugin_utils.service.agreement import agreed
from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows import preview

_ROOT = Path(__file__).parents[2]


class ActionModule(ControlAction):
    """keepwell.fleet.run_begin"""

    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "subset": {"type": "list", "elements": "str", "default": ["all"]},
        "acting": {"type": "list", "elements": "str", "choices": list(SERVICES), "default": []},
    }

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return the run's id, its population, and what interrupted runs were found."""
        own = keepwell_variables(self._templar, task_vars)
        now, simulated = settings.now(own, time.time())
        sources = [os.path.abspath(source) if os.path.exists(source) else source for source in inventory(task_vars)]
        hosts = sorted(str(host) for host in task_vars["ansible_play_hosts_all"])
        subset = settings.subset(arguments["subset"])
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
        acting = [] if self._task.check_mode else arguments["acting"]
        _refuse_what_nobody_bought(acting, told)
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
            trigger=trigger.here(task_vars),
            inventory=sources,
            versions={
                "keepwell.fleet": _own_version(),
                "ansible-core": core_version,
                "grade_model": str(grade.MODEL),
            },
            git_commit=_git_commit(str(task_vars.get("playbook_dir", "."))),
            simulated_now=simulated,
            holidays=preview.holidays_frozen((entry.calendar for entry in told), now),
            process=this_process(),
        )
        interrupted = runs.begin(store, header, now)
        taken = store.read_run(header.run_id).header.taken_over
        if taken is not None:
            self._display.display(f"▲ Took over the lease of run {taken.run_id} ({taken.holder}). {taken.why}")
        return {
            "changed": False,
            "run_id": header.run_id,
            "client": client.id,
            "evidence": str(store.run_dir(header.run_id)),
            "interrupted_runs": interrupted,
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


def _refuse_what_nobody_bought(acting: list[str], told: list[settings.Settings]) -> None:
    """Raise SettingsError for a chore that no host's plan has; single hosts without it are left out by the chore."""
    missing = [chore for chore in acting if not any(entry.plan and entry.plan.buys(chore) for entry in told)]
    if missing:
        raise settings.SettingsError(
            [
                f"{chore} was asked to change hosts, but no service plan here has it. Add '{chore}' to "
                f"keepwell_plan.services of this client, or only look: leave out {chore}_act."
                for chore in missing
            ]
        )


def _own_version() -> str:
    """Version of the collection: from galaxy.yml in the project, from MANIFEST.json where it is installed."""
    for name, path in (("galaxy.yml", ("version",)), ("MANIFEST.json", ("collection_info", "version"))):
        file = _ROOT / name
        if file.is_file():
            value: t.Any = yaml.safe_load(file.read_text(encoding="utf-8"))
            for key in path:
                value = value[key]
            return str(value)
    return "unknown"


def _git_commit(folder: str) -> str | None:
    """Commit of the playbooks, with ``-dirty`` when files differ from it; None outside a checkout."""
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            ["git", "-C", folder, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
