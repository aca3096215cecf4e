# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what a report says of the evidence it was made from: its head, and who signed it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit import verify
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError, load
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.visible import visible
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Manifest


@dataclass(frozen=True, slots=True)
class Seal:
    """``head`` is the hash of the run's manifest; whoever has it can tell later whether evidence was replaced.

    ``files`` are the files of the run with their SHA-256.
    """

    head: str
    signed_by: str
    unsigned: str
    files: Mapping[str, str] = field(default_factory=dict)


def read_seal(run: Path) -> Seal | None:
    """Return the seal of the run whose run.json this is; None for one that lies elsewhere or is not sealed."""
    path = run.parent / verify.MANIFEST
    if not path.is_file():
        return None
    try:
        manifest = load(Manifest, path)
        head = hashlib.sha256(path.read_bytes()).hexdigest()
    except (EvidenceError, OSError) as exc:
        raise EvidenceError(f"No report was made: {exc}") from exc
    files = {name: entry.sha256 for name, entry in manifest.files.items()}
    return Seal(head, visible(manifest.signed_by or ""), visible(manifest.unsigned), files)
