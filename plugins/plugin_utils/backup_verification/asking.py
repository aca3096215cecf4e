# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what is asked of a verifying host: requests to its agent. Pure.

The values of secrets are under ``secrets`` and nowhere else; they go over standard input and stay in memory there.
"""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.datasets import Dataset
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import DueTest, Look
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.options import Assigned, Options

Request = dict[str, t.Any]
# Of a look at one dataset; each further one adds to what all of them may take together.
_LOOK_S, _MORE_S, _LONGEST_S = 60.0, 30.0, 900.0
# Until somebody else's backup has ended.
LOCK_TIMEOUT_S = 600
# So many paths that came back are told, so that a sample prefers others.
KNOWN_PATHS = 20_000


def look(entries: Sequence[Assigned]) -> Request:
    """The question what is in the repositories of these datasets; they are called ``<host>/<id>`` in it."""
    return {
        "operation": "look",
        "datasets": [_declared(entry, f"{entry.host}/{entry.dataset.id}") for entry in entries],
        "secrets": {f"{entry.host}/{entry.dataset.id}": _secrets(entry.dataset) for entry in entries},
        "budget_s": min(_LONGEST_S, _LOOK_S + _MORE_S * (len(entries) - 1)),
    }


def plan(entry: Assigned, test: DueTest, options: Options, verifier: str, known: Sequence[str]) -> Request:
    """The question what a test would do."""
    return {"operation": "plan", "budget_s": _LOOK_S * 2, **_test(entry, test, options, verifier, known)}


def start(
    entry: Assigned,
    test: DueTest,
    options: Options,
    verifier: str,
    known: Sequence[str],
    look_: Look | None,
) -> Request:
    """The order to do a test; ids, the program and what is known of the canary are added by the caller."""
    limits = options.limits
    place = look_.repository.path if look_ is not None and look_.repository is not None else None
    wanted = {
        "runtime_s": limits.runtime_minutes * 60,
        "lock_timeout_s": LOCK_TIMEOUT_S,
        "nice": limits.nice,
        "idle": limits.idle,
        "cpu_percent": limits.cpu_percent,
        "memory_bytes": limits.memory_mb << 20 if limits.memory_mb else None,
        "read_limit": f"{place} {limits.read_bytes_per_s}" if place and limits.read_bytes_per_s else None,
    }
    return {
        "operation": "start",
        **_test(entry, test, options, verifier, known),
        "limits": {name: value for name, value in wanted.items() if value is not None},
    }


def _test(entry: Assigned, test: DueTest, options: Options, verifier: str, known: Sequence[str]) -> Request:
    dataset = entry.dataset
    return {
        "host": entry.host,
        "verifier": verifier,
        "local": verifier == entry.host,
        "dataset": _declared(entry, dataset.id),
        "repository_key": dataset.repository_key,
        "kind": test.kind,
        "part": test.part,
        "parts": test.parts,
        "snapshot": test.snapshot,
        "sandbox": {"base": options.sandbox, "free_percent": options.sandbox_reserve_percent},
        "sample": {"files": dataset.schedule.sample_files, "bytes": dataset.schedule.sample_bytes},
        # The same files are drawn for the announcement and for the test.
        "seed": f"{entry.host}/{dataset.id}/{test.snapshot}",
        "known": list(known)[:KNOWN_PATHS],
        "secrets": _secrets(dataset),
    }


def _declared(entry: Assigned, name: str) -> Request:
    """The declaration with its defaults; of secrets it says where they are and how those are called that come along."""
    dataset = entry.dataset
    whole = dataset.model_dump(mode="json", exclude={"credentials"})
    return {**whole, "credentials": dataset.public()["credentials"], "id": name}


def _secrets(dataset: Dataset) -> dict[str, str]:
    return dict(dataset.credentials.environment)
