# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Say what holds of a client's evidence, and what does not. No host is contacted, nothing is changed."""

from __future__ import annotations

import argparse
import os
import time
import typing as t
from pathlib import Path

from ansible_collections.keepwell.fleet.plugins.plugin_utils import scheduled, settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit import telling, verify
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import ControlAction, keepwell_variables
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.expected_runs import errands
from ansible_collections.keepwell.fleet.plugins.plugin_utils.inventory_sources import one_client


class ActionModule(ControlAction):
    """keepwell.fleet.verify"""

    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "client": {"type": "str"},
        "source": {"type": "path"},
        "run_id": {"type": "str", "default": ""},
        "since": {"type": "str", "default": ""},
        "heads": {"type": "list", "elements": "str", "default": []},
    }

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return {holds, sentences, head, client, msg}; fail when something does not hold."""
        one_client(self._loader, task_vars)
        own = keepwell_variables(self._templar, task_vars)
        client, store, options = telling.evidence_of(own, task_vars, arguments["client"])
        if not arguments["source"]:
            telling.recorded(store)
        entry = scheduled.entry(own, own.get("keepwell_schedule") or {})
        if entry:
            errands.note(store, "verify", entry, settings.now(own, time.time())[0])
        try:
            heads = [verify.a_head(head) for head in arguments["heads"]]
        except argparse.ArgumentTypeError as exc:
            raise settings.SettingsError([f"keepwell_head: {exc}."]) from exc
        source = Path(os.path.abspath(arguments["source"] or store.root))
        try:
            seen = verify.Verification(
                verify.open_place(str(source)),
                telling.own_file(options.allowed_signers),
                telling.own_file(options.timestamp_ca),
            )
            seen.look(arguments["run_id"], telling.a_day("keepwell_verify_since", arguments["since"]), heads)
        except (verify.Unreadable, OSError) as exc:
            raise EvidenceError(f"Nothing was verified: {exc}.") from exc
        return telling.tell(self._display, seen, {"changed": False, "client": client.id, "source": str(source)})
