# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the variables of every host, before the first connection, and write down who lets the client go on."""

from __future__ import annotations

import time
import typing as t
from collections.abc import Collection

from ansible_collections.keepwell.fleet.plugins.plugin_utils import settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.work import (
    options_of_all,
    run_of,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import ControlAction, keepwell_variables
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.history import History
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import gates, options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.work import CHORE


class ActionModule(ControlAction):
    """keepwell.fleet.patch_check"""

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return for how many hosts they are fine, and which hosts were or would be released."""
        own = keepwell_variables(self._templar, task_vars)
        now, _simulated = settings.now(own, time.time())
        store, run_id = run_of(own, task_vars)
        chosen = options_of_all(CHORE, options.Options, task_vars, options.REGISTERED)
        here = {str(host) for host in task_vars["ansible_play_hosts_all"]}
        mine = {host: entry for host, entry in chosen.items() if host in here}
        limited = bool(task_vars.get("ansible_limit"))
        released, written = self._release(store, run_id, mine, set(chosen), limited, now)
        return {
            "changed": written,
            "released": released,
            "msg": f"the variables of {len(chosen)} hosts are fine",
        }

    def _release(
        self,
        store: Store,
        run_id: str,
        mine: dict[str, options.Options],
        known: Collection[str],
        limited: bool,
        now: float,
    ) -> tuple[list[str], bool]:
        """Write down that a person lets a client go on after a change that failed or left new findings.

        Return for which hosts, and whether it was written: an announcement only tells.
        """
        asked = {host: entry for host, entry in mine.items() if entry.release}
        if not asked:
            return [], False
        held = gates.releasable(History(store).changes(CHORE) + History(store).changes("release"))
        # Who left the inventory cannot be asked for by name any more.
        found = {
            host: asked[host] if host in known else next(iter(asked.values()))
            for host in held
            if host in asked or host not in known
        }
        several = sorted(set(found) & set(known))
        if len(several) > 1 and not limited:
            raise settings.SettingsError(
                [
                    f"patching_release: the last changes of {len(several)} hosts hold others: {', '.join(several)}. "
                    f"Say which of them you mean: --limit {several[0]}, or --limit {','.join(several)} for all."
                ]
            )
        acting = not self._task.check_mode and any(entry.act for entry in found.values())
        for host, entry in found.items():
            if acting:
                self._write(store, run_id, host, entry, now)
            word = "Released" if acting else "Would be released"
            self._display.display(f"{word}: {host} ({entry.release}; {entry.approver})")
        if not found:
            self._display.display("patching_release: no change waits for it, so nothing was released.")
        return sorted(found), acting

    def _write(self, store: Store, run_id: str, host: str, entry: options.Options, now: float) -> None:
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
