# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what a host declares of its backups, and all that history and this run know of it.

Runs on the control node.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.known import KnownDataset, together
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.options import Declared
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import named
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_history import HostHistory

_NOTHING = Declared()


def read(templar: t.Any, task_vars: Mapping[str, t.Any]) -> Declared:
    """Return what a host declares. Raises SettingsError with every mistake."""
    given = [name for name in options.DECLARED if task_vars.get(name)]
    if not given:
        return _NOTHING
    return options.declared({name: named(name, lambda name: templar.template(task_vars[name])) for name in given})


def known(
    store: Store, run_id: str | None, host: str, declared: Declared, history: HostHistory
) -> tuple[KnownDataset, ...]:
    """Return all that is known of a host's datasets, by id; ``run_id`` is the run under way, if there is one."""
    if not declared.datasets:
        return ()
    earlier = history.backups(declared.datasets)
    return tuple(
        together(dataset, earlier[dataset.id], store.read_verification(run_id, host, dataset.id) if run_id else None)
        for dataset in sorted(declared.datasets, key=lambda dataset: dataset.id)
    )
