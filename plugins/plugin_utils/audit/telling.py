# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what the actions around evidence have in common. Runs on the control node."""

from __future__ import annotations

import datetime
import os
import typing as t
from collections.abc import Mapping

from ansible.errors import AnsibleActionFail
from ansible.utils.display import Display

from ansible_collections.keepwell.fleet.plugins.plugin_utils import settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit import verify
from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit.options import AuditOptions
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import inventory, state_dir
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Client

_MARKS = {True: "✓", False: "✖", None: "·"}


def evidence_of(
    own: Mapping[str, t.Any], task_vars: Mapping[str, t.Any], client_id: str | None = None
) -> tuple[Client, Store, AuditOptions]:
    """Return a client, its evidence and what its files say about it. Raises SettingsError."""
    sources = inventory(task_vars)
    client = settings.client(own.get("keepwell_client"), sources)
    if client_id and client_id != client.id:
        client = Client(id=client_id, name=client_id)
    return client, Store(state_dir(own, task_vars), client.id), settings.audit(own, client.id, sources)


def recorded(store: Store) -> None:
    """Raise EvidenceError for a client without evidence."""
    if not store.runs.is_dir():
        raise EvidenceError(
            f"Client '{store.client_id}' has no evidence below {store.root}. "
            "Check the inventory (-i) and keepwell_state_dir."
        )


def a_day(variable: str, text: str) -> str:
    """Return a day as it was given, "" for none. Raises SettingsError for what is no day."""
    try:
        return datetime.date.fromisoformat(text).isoformat() if text else ""
    except ValueError as exc:
        raise settings.SettingsError([f"{variable} must be a day like 2026-11-30 (given: '{text}')."]) from exc


def own_file(path: str | None) -> str | None:
    """Return the path of a file that is there, else None."""
    return path if path and os.path.isfile(path) else None


def tell(display: Display, seen: verify.Verification, result: dict[str, t.Any], what: str = "") -> dict[str, t.Any]:
    """Show every sentence and return the result with them; fail, for exit code 2, when something does not hold."""
    for sentence in seen.sentences:
        display.display(f"{_MARKS[sentence.holds]} {verify.plain(sentence.text)}")
    failed = sum(sentence.holds is False for sentence in seen.sentences)
    whole = {
        **result,
        "holds": seen.holds,
        "sentences": [{"holds": sentence.holds, "text": sentence.text} for sentence in seen.sentences],
        "head": seen.chain[-1].sha256 if seen.chain else "",
        "msg": f"{what}{verify.conclusion(failed)}",
    }
    if failed:
        raise AnsibleActionFail(whole["msg"], result=whole)
    display.display(f"✓ {whole['msg']}")
    return whole
