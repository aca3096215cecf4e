# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Say everything that is wrong in a client's files, at once. No host is contacted."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils import settings, validation
from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit import signing
from ansible_collections.keepwell.fleet.plugins.plugin_utils.awx import written
from ansible_collections.keepwell.fleet.plugins.plugin_utils.client_action import ClientAction
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import (
    keepwell_variables,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso


class ActionModule(ClientAction):
    """keepwell.fleet.validate"""

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return warnings; fail with every mistake, a line each."""
        own = keepwell_variables(self._templar, task_vars)
        now, _simulated = settings.now(own, time.time())
        sources, hosts = self.whole_client(task_vars)
        found = validation.look(task_vars, sources, hosts, now)
        if not found.mistakes:
            client_id = next(iter(found.told.values())).client.id
            found.warnings += signing.obstacles(settings.audit(own, client_id, sources), iso(now))
        if not found.mistakes and any(entry.awx for entry in found.told.values()):
            told = written.tell(found.told, str(task_vars["playbook_dir"]), now)
            found.mistakes += written.look(told, written.documented(), now)[1]
        for sentence in found.warnings:
            self._display.display(f"▲ {sentence}")
        for sentence in found.mistakes:
            self._display.display(f"✖ {sentence}")
        count = len(found.mistakes)
        if count:
            words = "1 mistake; mend it" if count == 1 else f"{count} mistakes; mend them"
            raise settings.SettingsError([f"{words} first. No host was contacted."])
        client = next(iter(found.told.values())).client
        counted = "1 host" if len(hosts) == 1 else f"{len(hosts)} hosts"
        self._display.display(f"✓ {client.name}: {counted}, no mistake.")
        return {
            "changed": False,
            "client": client.id,
            "hosts": len(hosts),
            "warnings_found": found.warnings,
            "msg": f"{client.name}: {counted}, no mistake; warnings: {len(found.warnings)}",
        }
