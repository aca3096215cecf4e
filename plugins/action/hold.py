# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keep hosts or a whole client from being changed until a date. No host is contacted."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils import hold_files, holds
from ansible_collections.keepwell.fleet.plugins.plugin_utils.hold_action import HoldAction
from ansible_collections.keepwell.fleet.plugins.plugin_utils.identifiers import new_run_id
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso


class ActionModule(HoldAction):
    """keepwell.fleet.hold"""

    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {**HoldAction.ARGUMENTS, "until": {"type": "str"}}

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return the hold; one that says the same already is left as it is."""
        asked = self.asked(arguments, task_vars)
        reason = holds.reason(arguments["reason"])
        until = holds.end(arguments["until"], asked.now, asked.client.timezone)
        hold = holds.same(hold_files.read(asked.store), asked.hosts, reason, until, asked.now)
        changed = hold is None
        if hold is None:
            hold = holds.Hold(
                # By the clock of the machine: two holds of one simulated moment stay in order.
                hold_id=new_run_id(time.time()),
                client=asked.client.id,
                hosts=asked.hosts,
                reason=reason,
                placed_at=iso(asked.now),
                until=iso(until),
                placed_by=asked.who,
            )
            if not self._task.check_mode:
                hold_files.place(asked.store, hold)
        text = f"{asked.client.name}, {holds.names(hold.hosts)}: {holds.sentence(hold, asked.zone)}"
        self._display.display(f"Check mode, nothing is kept: {text}" if self._task.check_mode else text)
        return {
            "changed": changed,
            "hold_id": hold.hold_id,
            "client": asked.client.id,
            "hosts": hold.hosts,
            "until": hold.until,
            "msg": text,
        }
