# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Let hosts or a whole client go before the end of a hold. No host is contacted."""

from __future__ import annotations

import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils import hold_files, holds
from ansible_collections.keepwell.fleet.plugins.plugin_utils.hold_action import HoldAction
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso


class ActionModule(HoldAction):
    """keepwell.fleet.release"""

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return which holds were released, and what still keeps the hosts back."""
        asked = self.asked(arguments, task_vars)
        reason = holds.reason(arguments["reason"])
        found = holds.to_release(hold_files.read(asked.store), asked.hosts, asked.now)
        word = "would be released" if self._task.check_mode else "released"
        for hold, hosts in found:
            document = holds.Release(
                hold_id=hold.hold_id,
                client=asked.client.id,
                hosts=hosts,
                reason=reason,
                released_at=iso(asked.now),
                released_by=asked.who,
            )
            if not self._task.check_mode:
                hold_files.release(asked.store, document, asked.now)
            whom = holds.names(hosts or hold.hosts)
            was = holds.sentence(hold, asked.zone)
            self._display.display(f"{asked.client.name}, {whom}: {word}. It was: {was}")
        if not found:
            self._display.display(f"{asked.client.name}: nothing is on hold there.")
        return {
            "changed": bool(found),
            "client": asked.client.id,
            "released": [{"hold_id": hold.hold_id, "hosts": hosts} for hold, hosts in found],
            "msg": f"{len(found)} holds released" if found else "nothing is on hold there",
        }
