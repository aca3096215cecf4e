# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tell which maintenance windows of a client come next, and keep them as a calendar file."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils import settings, validation
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.registry import CHORES
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import (
    ControlAction,
    inventory,
    keepwell_variables,
    state_dir,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.history import read_history
from ansible_collections.keepwell.fleet.plugins.plugin_utils.inventory_sources import one_client
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows import ics, preview, used
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.catalogues import CLIENT, reader_texts

_NOT_KNOWN = (
    "Not told: whether a window is nearly too short. The history index is missing, behind or cannot be read; the next "
    "run that is recorded brings it up to date."
)


class ActionModule(ControlAction):
    """keepwell.fleet.maintenance_windows"""

    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {"next": {"type": "int", "default": 6}}

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return the coming windows and what looks wrong; the text is shown."""
        one_client(self._loader, task_vars)
        own = keepwell_variables(self._templar, task_vars)
        now, _simulated = settings.now(own, time.time())
        if arguments["next"] < 1:
            raise settings.SettingsError(
                [f"next: {arguments['next']} is no number of windows; it should be 1 or more."]
            )
        hosts = sorted(str(host) for host in task_vars["groups"]["all"])
        if not hosts:
            raise settings.SettingsError(["The inventory has no host. Check -i."])
        found = validation.look(task_vars, inventory(task_vars), hosts, now)
        found.refuse()
        told = found.told
        client = next(iter(told.values())).client
        calendars = {host: entry.calendar for host, entry in told.items()}
        coming = preview.coming(calendars, now, arguments["next"])
        store = Store(state_dir(own, task_vars), client.id)
        changes = _changes(store, now)
        wrong = preview.warnings(calendars, now, used.used(calendars, changes or []))
        self._display.display(preview.text(client.name, coming, wrong, now).rstrip("\n"))
        if changes is None:
            self._display.display(_NOT_KNOWN)
        path = store.root / ics.FILE_NAME
        texts, _warning = reader_texts(CLIENT, client.locale)
        kept = ics.keep(path, client.id, client.name, coming, now, texts, act=not self._task.check_mode)
        return {
            "changed": kept.changed,
            "windows": [
                {
                    "name": entry.name,
                    "begin": iso(entry.begin),
                    "end": iso(entry.end),
                    "allow": list(entry.allow),
                    "hosts": list(entry.hosts),
                }
                for entry in coming
            ],
            "warnings_found": wrong,
            "path": str(path),
            "msg": f"{len(coming)} windows, {len(wrong)} warnings",
        }


def _changes(store: Store, now: float) -> list[ChangeRecord] | None:
    """What chores did in the last weeks, none where no run has ended yet; None when that is not known.

    To look must not write: whoever may only read the state directory looks as well, and in check mode everybody.
    """
    if not store.runs.is_dir():
        return []
    history = read_history(store)
    if history is None:
        return None
    try:
        return [record for chore in CHORES for record in history.changes(chore, now - used.LOOK_BACK_S)]
    except EvidenceError:
        return None
