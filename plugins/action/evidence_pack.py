# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make an evidence pack: one zip file with all that an auditor needs to check it. No host is contacted."""

from __future__ import annotations

import hashlib
import os
import tempfile
import typing as t
from pathlib import Path

from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit import pack, telling, verify
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import ControlAction, keepwell_variables
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError, make_folder
from ansible_collections.keepwell.fleet.plugins.plugin_utils.inventory_sources import one_client

# Evidence names weak spots: for the owner and the group; who else gets it is decided by sending it.
_MODE = 0o640


class ActionModule(ControlAction):
    """keepwell.fleet.evidence_pack"""

    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "client": {"type": "str"},
        "first_day": {"type": "str", "default": ""},
        "last_day": {"type": "str", "default": ""},
        "destination": {"type": "path"},
    }

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return {changed, pack, sha256, runs, head, sentences, msg}; fail when the evidence in it does not hold."""
        one_client(self._loader, task_vars)
        own = keepwell_variables(self._templar, task_vars)
        client, store, options = telling.evidence_of(own, task_vars, arguments["client"])
        telling.recorded(store)
        first = telling.a_day("keepwell_pack_from", arguments["first_day"])
        last = telling.a_day("keepwell_pack_to", arguments["last_day"])
        choice = pack.choose(store.sealed(), first, last)
        days = (first or choice.runs[0].ended_at[:10], last or choice.runs[-1].ended_at[:10])
        folder = Path(os.path.abspath(arguments["destination"] or store.root / "packs"))
        path = folder / f"{client.id}-evidence-{days[0]}-{days[1]}.zip"
        with tempfile.TemporaryDirectory(prefix="keepwell-", dir=_draft_folder(folder, self._task.check_mode)) as draft:
            made = Path(draft) / path.name
            pack.make(store, client, options, choice, made)
            made.chmod(_MODE)
            digest = _digest(made)
            changed = not path.is_file() or _digest(path) != digest
            seen = verify.Verification(verify.Archive(str(made))).look()
            if changed and not self._task.check_mode:
                os.replace(made, path)
        result = {
            "changed": changed,
            "client": client.id,
            "pack": str(path),
            "sha256": digest,
            "runs": [seal.run_id for seal in choice.runs],
        }
        number = f"{len(choice.runs)} runs are" if len(choice.runs) > 1 else "1 run is"
        return telling.tell(self._display, seen, result, f"{number} in {path}. ")


def _draft_folder(folder: Path, check_mode: bool) -> Path | None:
    """Return where the pack is put together: beside its place, elsewhere when nothing may be left there."""
    if check_mode:
        return None
    try:
        make_folder(folder)
    except OSError as exc:
        raise EvidenceError(f"{folder} cannot be made: {exc.strerror}. Give another destination.") from exc
    return folder


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
