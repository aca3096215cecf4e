# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: when playbooks began that leave no evidence: ``<client>/errands.jsonl``, a line each.

They look at no host: reports are made again, messages sent again, evidence is verified. Runs on the control node.
"""

from __future__ import annotations

import fcntl
import json
import typing as t

from pydantic import Field, ValidationError

from ansible_collections.keepwell.fleet.plugins.plugin_utils import scheduled
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import DAY
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import (
    EvidenceError,
    append_line,
    dump,
    whole_lines,
    write_atomic,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.expected_runs.ledger import Began
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import SCHEMA_VERSION, Model, Timestamp, epoch, iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_files import RunFiles

_NAME = "errands.jsonl"
# The ledger looks back for half of it.
_KEPT_S = 70 * DAY


Playbook = t.Literal["report", "period_report", "fleet_overview", "deliver", "verify"]


class Errand(Model):
    """That such a playbook began."""

    schema_version: str = SCHEMA_VERSION
    at: Timestamp
    playbook: str
    entry: str = Field("", description="of keepwell_schedule; empty when a person started it")


def note(files: RunFiles, playbook: Playbook, entry: str, now: float) -> None:
    """Write it down, where this is that playbook and not a part of another one."""
    if scheduled.playbook() != playbook:
        return
    path = files.root / _NAME
    try:
        files.root.mkdir(mode=0o750, parents=True, exist_ok=True)
        with open(files.root / ".errands", "ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            known = _read(files)
            if known and epoch(known[0].at) < now - _KEPT_S:
                kept = [errand for errand in known if epoch(errand.at) >= now - _KEPT_S / 2]
                write_atomic(path, b"".join(map(dump, kept)))
            append_line(path, dump(Errand(at=iso(now), playbook=playbook, entry=entry)))
    except OSError as exc:
        raise EvidenceError(f"{path} cannot be written: {exc.strerror}.") from exc


def began(files: RunFiles, since: float) -> list[Began]:
    """Return them from a moment on, as the ledger asks for them."""
    return [Began(epoch(found.at), found.playbook, found.entry) for found in _read(files) if epoch(found.at) >= since]


def _read(files: RunFiles) -> list[Errand]:
    path = files.root / _NAME
    try:
        return [Errand.model_validate(json.loads(line)) for line in whole_lines(path)]
    except (ValueError, ValidationError) as exc:
        raise EvidenceError(f"{path} was damaged or edited. Restore it from a backup, or move it away.") from exc
