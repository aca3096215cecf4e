# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: read run.json as a run, or say in one sentence why that cannot be done."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

from ansible_collections.keepwell.fleet.plugins.plugin_utils import counting
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError, checked, parsed
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import SCHEMA_VERSION
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Run


def read_run(path: Path) -> Run:
    """Return the run at ``path``. Raises EvidenceError naming what failed, where, why and what to do."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise EvidenceError(
            f"No report was made: there is no {path}. Give 'run' the path of the run.json of a finished run, "
            "<state directory>/<client>/runs/<run id>/run.json."
        ) from None
    except OSError as exc:
        raise EvidenceError(
            f"No report was made: {path} cannot be read ({exc.strerror}). "
            "Run as the user who owns the state directory, or correct the path."
        ) from exc
    try:
        document = parsed(text, path)
        _recognise(path, document)
        run = checked(Run, document, path)
    except RecursionError:
        raise EvidenceError(
            f"No report was made: {path} is nested deeper than any run, so it is not one. Give 'run' the path "
            "<state directory>/<client>/runs/<run id>/run.json."
        ) from None
    except EvidenceError as exc:
        raise EvidenceError(f"No report was made: {exc}") from exc
    if run.counts is not None and run.counts != counting.count_run(run.hosts):
        raise EvidenceError(
            f"No report was made: the counts in {path} do not add up to its hosts, so it was damaged or edited. "
            "Restore this run from a backup; its manifest tells the hash it should have."
        )
    return run


def _recognise(path: Path, document: t.Any) -> None:
    """Refuse what is JSON but no run of this version."""
    if not isinstance(document, dict) or "header" not in document or "status" not in document:
        raise EvidenceError(
            f"{path} is JSON, but not the run.json of a Keepwell run. "
            "Give 'run' the path <state directory>/<client>/runs/<run id>/run.json."
        )
    version = str(document.get("schema_version", ""))
    if not re.fullmatch(r"\d{1,4}\.\d{1,4}", version):
        raise EvidenceError(
            f"{path} has the schema version '{version[:40]}', which is none of Keepwell's. "
            "It was damaged or edited; restore this run from a backup."
        )
    if _number(version) > _number(SCHEMA_VERSION):
        raise EvidenceError(
            f"{path} was written by a newer Keepwell (schema {version}; this one reads up to "
            f"{SCHEMA_VERSION}). Update the collection on this control node."
        )


def _number(version: str) -> tuple[int, int]:
    major, minor = version.split(".")
    return int(major), int(minor)
