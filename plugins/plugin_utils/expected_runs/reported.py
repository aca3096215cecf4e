# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: when reports were made again: ``<client>/reported.jsonl``, a line each.

Such a run looks at no host and leaves no evidence of its own. Runs on the control node.
"""

from __future__ import annotations

import json

from pydantic import Field, ValidationError

from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import (
    EvidenceError,
    append_line,
    dump,
    whole_lines,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.expected_runs.ledger import Began
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import SCHEMA_VERSION, Model, Timestamp, epoch
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_files import RunFiles

_NAME = "reported.jsonl"


class Reported(Model):
    """That a run was reported on."""

    schema_version: str = SCHEMA_VERSION
    at: Timestamp
    run_id: str
    entry: str = Field("", description="of keepwell_schedule; empty when a person started it")


def note(files: RunFiles, reported: Reported) -> None:
    """Write it down."""
    path = files.root / _NAME
    try:
        append_line(path, dump(reported))
    except OSError as exc:
        raise EvidenceError(f"{path} cannot be written: {exc.strerror}.") from exc


def began(files: RunFiles, since: float) -> list[Began]:
    """Return the times from a moment on, as the ledger asks for them."""
    path = files.root / _NAME
    try:
        found = [Reported.model_validate(json.loads(line)) for line in whole_lines(path)]
    except (ValueError, ValidationError) as exc:
        raise EvidenceError(f"{path} was damaged or edited. Restore it from a backup, or move it away.") from exc
    return [Began(epoch(entry.at), "report", entry.entry) for entry in found if epoch(entry.at) >= since]
