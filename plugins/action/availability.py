# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tell how available a client's hosts and services were in a month, from the beats of the watch."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils import settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.availability import series, telling
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import (
    ControlAction,
    inventory,
    keepwell_variables,
    state_dir,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import canonical, write_atomic
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.inventory_sources import one_client
from ansible_collections.keepwell.fleet.plugins.plugin_utils.watch.book import Book


class ActionModule(ControlAction):
    """keepwell.fleet.availability"""

    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {"month": {"type": "str"}}

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return the figures, a table of them, and the file they were written to."""
        one_client(self._loader, task_vars)
        own = keepwell_variables(self._templar, task_vars)
        now, _simulated = settings.now(own, time.time())
        hosts = sorted(str(host) for host in task_vars["groups"]["all"])
        told = {}
        for host in hosts:
            variables = keepwell_variables(self._templar, task_vars["hostvars"][host])
            groups = [str(group) for group in task_vars["hostvars"][host].get("group_names") or []]
            told[host] = settings.read(variables, inventory(task_vars), now, groups)
        if not told:
            raise settings.SettingsError(["The inventory has no hosts. Check -i."])
        first = next(iter(told.values()))
        try:
            name, begin, end = telling.month(arguments["month"], first.zone, now)
        except ValueError as exc:
            raise settings.SettingsError([str(exc)]) from None
        store = Store(state_dir(own, task_vars), first.client.id)
        book = Book(store)
        found = series.availability(
            book.read(begin - series.MARGIN_S, end + series.MARGIN_S),
            [host for host, entry in told.items() if entry.covers(host)],
            {host: percent for host, entry in told.items() if (percent := entry.availability_target) is not None},
            begin,
            end,
            lambda: book.broken,
        )
        if found is None:
            text = (
                f"Nobody watched the hosts of {first.client.name} in {name}: no beat of playbooks/watch.yml is there."
            )
            return {"changed": False, "msg": text}
        document = found.model_dump(mode="json")
        path = store.root / "availability" / f"{name}.json"
        if not self._task.check_mode:
            write_atomic(path, canonical({"client": first.client.id, "month": name, **document}))
        beats = "1 beat" if found.beats == 1 else f"{found.beats} beats"
        title = f"Availability of {first.client.name} in {name}, {beats}"
        return {"changed": False, "availability": document, "path": str(path), "msg": telling.table(title, found)}
