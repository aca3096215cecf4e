# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what a test on a Windows host proved, from what the host tells of it. Pure.

The host restores, reads and counts; whether that is a proof is judged here, by the same words as everywhere.
"""

from __future__ import annotations

import base64
import binascii
import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import (
    _canary,
    _driver,
    _proof,
    _restic_text,
    _selection,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification._sample import digest
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.windows_hosts import restic

if t.TYPE_CHECKING:
    from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.datasets import Dataset

Facts = Mapping[str, t.Any]
Answer = dict[str, t.Any]
_PATHS = 200
_COUNTED = ("files", "bytes", "identical", "unreferenced", "changed", "mismatches", "missing")
_KEPT = ("snapshot", "snapshot_time", "part", "parts", "dataset_bytes", "seconds", "total_seconds", "sandbox")


def ended(dataset: Dataset, state: Facts, history: Sequence[Facts]) -> Answer:
    """Return the state of a test that ended with its proof; ``history`` is what was written into the canary."""
    facts = state["facts"]
    proof = _proof.empty({"id": state["id"], "kind": facts["kind"], "verifier": facts["host"]})
    proof.update({name: facts[name] for name in _KEPT if facts.get(name) is not None})
    proof.update(left=facts["left"], bounded=state.get("bounded") or "", key_source=facts["key_source"])
    if state.get("code"):
        # It did not come to its end; the host says why.
        proof = _proof.ended(proof, state["code"], state["text"], state["ended_at"])
    elif facts["kind"] in _selection.READING:
        proof = _proof.reading(proof, _checked(facts), bool(facts["late"]))
    else:
        proof = _restored(dataset, facts, proof, history)
    proof["at"] = state["ended_at"]
    return {
        **state,
        "proof": proof,
        "outcome": _proof.work_outcome(proof),
        "code": proof["code"],
        "text": proof["text"],
    }


def _checked(facts: Facts) -> Answer:
    outcome, errors, broken, _rotten = _restic_text.check(restic.output(facts["said"]))
    checked: Answer = _driver.checked(outcome, errors, broken, None, "")
    return checked


def _restored(dataset: Dataset, facts: Facts, proof: Answer, history: Sequence[Facts]) -> Answer:
    compared = facts["compared"]
    if compared is not None:
        proof.update({name: compared[name] for name in _COUNTED})
        proof.update(paths=compared["paths"][:_PATHS], digests=[digest(path) for path in compared["paths"]])
        if facts["canary"] is not None:
            proof["canary"] = _canary_proof(dataset, facts, history)
    told: Answer = _proof.restoring(proof, _outcome(facts), bool(facts["late"]), bool(facts["full"]))
    return told


def _outcome(facts: Facts) -> Answer:
    """Return how the restore went: by restic's own words, and of wbadmin by its codes and by what is there."""
    if facts["said"] is not None:
        outcome, errors = _restic_text.restore(restic.output(facts["said"]))
        return dict(_driver.restored(outcome, errors))
    bad = [code for code in facts["codes"] if code != 0]
    if not bad:
        return dict(_driver.restored("ok"))
    # It ends with a code of its own whatever went wrong, and its words are in the language of the host.
    texts = [
        "wbadmin did not end in its time" if code is None else f"wbadmin ended with {code} (0x{code & 0xFFFFFFFF:08x})"
        for code in bad
    ]
    return dict(_driver.restored("timeout" if None in bad else "error", texts))


def _canary_proof(dataset: Dataset, facts: Facts, history: Sequence[Facts]) -> Answer:
    canary = dataset.canary
    data: bytes | None = None
    try:
        data = base64.b64decode(facts["canary"]["data"], validate=True) if facts["canary"]["data"] else None
    except (binascii.Error, ValueError):
        data = b""
    snapshot = {"time": facts["snapshot_time"], "end": facts["snapshot_end"]}
    most = canary.max_age_hours if canary else _canary.MAX_AGE_HOURS
    told: Answer = _canary.proof(dataset.id, facts["canary"]["path"], data, snapshot, list(history), most)
    return told
