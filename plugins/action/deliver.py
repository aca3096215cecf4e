# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tell who is to be told of a run, and send again what waits. Works on the control node; no host is contacted."""

from __future__ import annotations

import os
import time
import typing as t
from pathlib import Path

from ansible_collections.keepwell.fleet.plugins.plugin_utils import scheduled, settings, validation
from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit.options import client_folder
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import (
    ControlAction,
    inventory,
    named,
    state_dir,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery import receivers
from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery.composing import Composer
from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery.rounds import Delivery, Round
from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery.spool import Spool
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.expected_runs import errands
from ansible_collections.keepwell.fleet.plugins.plugin_utils.inventory_sources import one_client
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows import ics, preview
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Client
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.brand import brand_of
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.catalogues import (
    CLIENT,
    READERS,
    SOURCE,
    reader_texts,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.environment import search_path
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.reading import read_run

_WINDOWS_SHOWN = 12


class ActionModule(ControlAction):
    """keepwell.fleet.deliver"""

    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "run": {"type": "path"},
        "templates": {"type": "list", "elements": "path", "default": []},
        "brand": {"type": "dict", "default": {}},
        "language": {"type": "str", "choices": list(READERS), "default": SOURCE},
        "which": {"type": "str", "default": "due", "choices": list(receivers.WHICH)},
        "limit_s": {"type": "int", "default": 45},
    }

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return what became of each message; fail when one could not be made."""
        one_client(self._loader, task_vars)
        began = time.monotonic()
        own = _variables(task_vars)
        now, _simulated = settings.now(own, time.time())
        client = settings.client(own.get("keepwell_client"), inventory(task_vars))
        notify, problems = receivers.build(own.get("keepwell_notify"), own.get("keepwell_smtp"))
        if problems:
            raise settings.SettingsError(problems)
        folder = state_dir(own, task_vars)
        if not self._task.check_mode:
            entry = scheduled.entry(own, own.get("keepwell_schedule") or {})
            errands.note(Store(folder, client.id), "deliver", entry, now)
        spool = Spool(folder, client.id)
        if not notify.receivers and not spool.root.exists():
            return {"changed": False, "skipped": True, "msg": "Nobody is to be told: keepwell_notify is empty."}
        delivery = Delivery(spool, notify, now, act=not self._task.check_mode)
        if arguments["run"]:
            run = read_run(Path(os.path.abspath(arguments["run"])))
            base = client_folder(inventory(task_vars))
            calendar = Path(folder) / client.id / ics.FILE_NAME
            composer = Composer(
                run,
                search_path(arguments["templates"], base),
                lambda: self._windows(client, calendar, task_vars, now),
                brand_of(arguments["brand"], base),
                arguments["language"],
            )
            delivery.promise(run, composer)
        delivery.send(arguments["limit_s"] - (time.monotonic() - began), arguments["which"])
        return self._result(delivery.done)

    def _windows(self, client: Client, path: Path, task_vars: dict[str, t.Any], now: float) -> bytes:
        """Return the client's coming windows as a calendar, b"" when there are none."""
        hosts = sorted(str(host) for host in task_vars["groups"]["all"])
        found = validation.look(task_vars, inventory(task_vars), hosts, now)
        found.refuse()
        coming = preview.coming({host: entry.calendar for host, entry in found.told.items()}, now, _WINDOWS_SHOWN)
        if not coming:
            return b""
        texts, _warning = reader_texts(CLIENT, client.locale)
        return ics.keep(path, client.id, client.name, coming, now, texts, act=not self._task.check_mode).content

    def _result(self, done: Round) -> dict[str, t.Any]:
        verb = "Would be told" if self._task.check_mode else "Sent"
        for sentence in done.promised if self._task.check_mode else [*done.sent, *done.written]:
            self._display.display(f"✓ {verb}: {sentence}")
        for sentence in done.withdrawn:
            self._display.display(f"◔ Withdrawn: {sentence}")
        for sentence in done.notes:
            self._display.warning(sentence)
        for title, sentences in (
            ("Waits", done.waiting),
            ("In doubt", done.doubtful),
            ("Given up", done.given_up),
        ):
            for sentence in sentences:
                self._display.warning(f"{title}: {sentence}")
        if done.problems:
            raise EvidenceError(" ".join(done.problems))
        counts = {
            "sent": done.sent,
            "written": done.written,
            "waiting": done.waiting,
            "doubtful": done.doubtful,
            "given_up": done.given_up,
            "withdrawn": done.withdrawn,
        }
        told = ", ".join(f"{len(entries)} {name.replace('_', ' ')}" for name, entries in counts.items() if entries)
        changed = bool(done.promised or done.sent or done.written or done.given_up or done.withdrawn)
        return {"changed": changed, "promised": done.promised, **counts, "msg": told or "Nothing is to be told."}


def _variables(task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the client's variables, as its first host has them: in all of them they are the same."""
    hosts = sorted(str(host) for host in task_vars["groups"]["all"])
    if not hosts:
        raise settings.SettingsError(["The inventory has no host. Check -i."])
    found = task_vars["hostvars"][hosts[0]]
    names = [str(name) for name in found if str(name).startswith("keepwell_")]
    return {name: named(name, found.__getitem__) for name in names}
