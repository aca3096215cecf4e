# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Show all clients of a state directory on one page, for the provider. No host is contacted."""

from __future__ import annotations

import os
import re
import time
import typing as t
from pathlib import Path

from ansible.utils.vars import load_extra_vars

from ansible_collections.keepwell.fleet.plugins.plugin_utils import scheduled, settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit.options import client_folder
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import (
    ControlAction,
    inventory,
    keepwell_variables,
    state_dir,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.expected_runs import errands
from ansible_collections.keepwell.fleet.plugins.plugin_utils.inventory_sources import refuse_a_borrowed_clock
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report import folder as files
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.brand import brand_of
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.catalogues import (
    CLIENT,
    READERS,
    SOURCE,
    translations,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.environment import Templates, search_path
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.fleet import Member, fleet_files
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.reading import read_run
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.seal import read_seal
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.jobs import OVERVIEW

_CLIENT = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class ActionModule(ControlAction):
    """keepwell.fleet.fleet_overview"""

    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "destination": {"type": "path"},
        "templates": {"type": "list", "elements": "path", "default": []},
        "brand": {"type": "dict", "default": {}},
        "language": {"type": "str", "choices": list(READERS), "default": SOURCE},
    }

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return {changed, page, clients, msg}."""
        refuse_a_borrowed_clock(load_extra_vars(self._loader))
        own = keepwell_variables(self._templar, task_vars)
        now, _simulated = settings.now(own, time.time())
        root = Path(state_dir(own, task_vars))
        members = [_member(root, client) for client in _clients(root)]
        if not members:
            raise EvidenceError(f"There is no client below {root}. Check keepwell_state_dir.")
        # There is no one client whose language it could be.
        texts = translations(SOURCE if arguments["language"] == CLIENT else arguments["language"])
        base = client_folder(inventory(task_vars))
        templates = Templates(
            search_path(arguments["templates"], base), texts, brand=brand_of(arguments["brand"], base)
        )
        wanted = fleet_files(members, templates, texts, now)
        folder = Path(os.path.abspath(arguments["destination"] or root / OVERVIEW))
        differing = files.differing(folder, wanted)
        check_mode = bool(self._task.check_mode)
        if not check_mode:
            entry = scheduled.entry(own, own.get("keepwell_schedule") or {})
            if entry:
                client = settings.client(own.get("keepwell_client"), inventory(task_vars))
                errands.note(Store(root, client.id), "fleet_overview", entry, now)
            files.write(folder, {name: wanted[name] for name in differing})
        message = files.message(len(differing), len(wanted), folder, check_mode=check_mode)
        self._display.display(message)
        return {
            "changed": bool(differing),
            "page": str(folder / "overview.html"),
            "clients": [member.client for member in members],
            "msg": message,
        }


def _clients(root: Path) -> list[str]:
    """Return the clients that have evidence here."""
    try:
        there = sorted(entry.name for entry in root.iterdir() if (entry / "runs").is_dir())
    except OSError as exc:
        raise EvidenceError(f"{root} cannot be read: {exc.strerror}. Check keepwell_state_dir.") from exc
    return [name for name in there if _CLIENT.fullmatch(name)]


def _member(root: Path, client: str) -> Member:
    """Return a client with its newest whole run, else its newest; trouble of one client hides no other."""
    store = Store(root, client)
    try:
        chain = store.sealed()
        deleted = store.deleted_files(chain)
        there = [seal for seal in chain if "run.json" not in deleted.get(seal.run_id, ())]
        # Retention leaves a run of its own that looked at nobody.
        whole = [seal for seal in there if seal.status == "complete" and not seal.partial] or there
        if not whole:
            return Member(client, None, trouble="No run has ended here.")
        newest = whole[-1]
        altered = store.altered(newest, deleted.get(newest.run_id, ()))
        if altered:
            return Member(client, None, trouble=f"The evidence of run {newest.run_id} was changed: {altered[0]}")
        path = store.run_dir(newest.run_id) / "run.json"
        run = read_run(path)
        if run.header.client.id != client:
            return Member(client, None, trouble=f"{path} is a run of another client, {run.header.client.id}.")
        return Member(client, run, read_seal(path))
    except (EvidenceError, OSError) as exc:
        return Member(client, None, trouble=str(exc))
