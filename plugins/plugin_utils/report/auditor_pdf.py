# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what goes into the auditor's PDF: the evidence of the newest run, and how to check it.

Who has the PDF alone can take out run.json, its manifest and signature, and see by their hashes that they are what the
page was made from. The whole period is in the evidence pack.
"""

from __future__ import annotations

import datetime
import hashlib
import typing as t
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit import verify
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.pdf import Embedded
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Run

RUN = "run.json"
VERIFIER = "verify.py"
_SAYS = {
    RUN: "The newest run that covers everything: what the page was made from",
    verify.MANIFEST: "The hash of every file of that run, and of the manifest before it",
    f"{verify.MANIFEST}.sig": "The signature of the manifest",
    VERIFIER: "Checks an evidence pack, with python3 alone",
    verify.SUMS: "The hash of every other file in here",
}


def evidence_of(path: Path) -> dict[str, bytes]:
    """Return the files of a run that go into a PDF, as they lie beside its run.json, byte for byte."""
    found = {}
    for name in (RUN, verify.MANIFEST, f"{verify.MANIFEST}.sig"):
        file = path if name == RUN else path.parent / name
        try:
            found[name] = file.read_bytes()
        except FileNotFoundError:
            if name == RUN:
                raise EvidenceError(f"No report was made: {file} is gone. Restore it from a backup.") from None
        except OSError as exc:
            raise EvidenceError(f"No report was made: {file} cannot be read: {exc.strerror}.") from exc
    return found


def embedded(run: Run, evidence: Mapping[str, bytes], registers: Mapping[str, bytes]) -> list[Embedded]:
    """Return what goes into the PDF of a period that ended with a run. ``registers`` are tables and their document."""
    at = datetime.datetime.fromisoformat(run.ended_at or run.header.started_at)
    whole = {**evidence, **registers, VERIFIER: Path(verify.__file__).read_bytes()}
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(whole.items()))
    return [
        Embedded(name, content, _relationship(name, registers), _SAYS.get(name, "Every entry that the page counts"), at)
        for name, content in [*sorted(whole.items()), (verify.SUMS, sums.encode())]
    ]


def _relationship(name: str, registers: Mapping[str, bytes]) -> t.Literal["Source", "Data", "Supplement"]:
    if name == RUN:
        return "Source"
    return "Data" if name in registers else "Supplement"
