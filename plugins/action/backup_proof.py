# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answer whether the backups of a host are proven, from evidence alone."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils import history, settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import declaring
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.known import KnownDataset
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.options import Declared
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._backup_policy import Policy, gate, waived
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import (
    ControlAction,
    keepwell_variables,
    plain,
    state_dir,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store, current_run
from ansible_collections.keepwell.fleet.plugins.plugin_utils.processes import this_process


class ActionModule(ControlAction):
    """keepwell.fleet.backup_proof"""

    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "max_age_days": {"type": "float"},
        "fail": {"type": "bool", "default": False},
    }

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return {proven, needed, reason, datasets}."""
        told = keepwell_variables(self._templar, task_vars)
        sources = [str(source) for source in plain(task_vars.get("ansible_inventory_sources") or [])]
        now, _simulated = settings.now(told, time.time())
        groups = [str(group) for group in plain(task_vars.get("group_names") or [])]
        chosen = settings.read(told, sources, now, groups)
        days = arguments["max_age_days"]
        if days is not None and not days > 0:
            raise settings.SettingsError([f"max_age_days must be above 0 (given: {days:g})."])
        policy = t.cast(Policy, chosen.policy["backup"])
        host = str(task_vars["inventory_hostname"])
        declared = declaring.read(self._templar, task_vars)
        root = state_dir(told, task_vars)
        decision = gate(_known(root, chosen.client.id, host, declared, now), policy, now, days)
        needed = not waived(policy)
        reason = decision.reason
        if not needed and not declared.datasets:
            reason = f"The policy says that this host needs no backup: {policy.not_required_reason}"
        return {
            "changed": False,
            "failed": bool(arguments["fail"] and needed and not decision.proven),
            "proven": decision.proven,
            "needed": needed,
            "reason": reason,
            "datasets": [
                {"id": answer.dataset, "proven": answer.proven, "reason": answer.reason} for answer in decision.datasets
            ],
            "msg": f"{host}: {reason}",
        }


def _known(root: str, client: str, host: str, declared: Declared, now: float) -> tuple[KnownDataset, ...]:
    """What evidence and the run under way, if this playbook began one, know of the host's datasets."""
    found = current_run(root, this_process()) if declared.datasets else None
    store, run_id = found or (Store(root, client), None)
    if not store.runs.is_dir():
        return tuple(KnownDataset(dataset) for dataset in declared.datasets)
    return declaring.known(store, run_id, host, declared, history.open_history(store).of(host, now))
