# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: start a test, see how it stands, forget it.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import (
    _drivers,
    _leftovers,
    _memory,
    _proof,
    _sandbox,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _folder, _jobs
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError

CHORE = _leftovers.CHORE
_LIMITS = {"runtime_s": 3600, "lock_timeout_s": 600, "nice": 19, "idle": True, "whole": True}
_SUMMARY = ("id", "run_id", "client", "host", "dataset", "kind", "phase", "outcome", "code", "text", "started_at")
_WANTED = ("id", "run_id", "client", "host", "dataset", "kind", "repository_key", "program")


def start(machine, request):
    """Start the test of a request, or attach to it when it was started already.

    ``secrets`` of the request travel in memory; the rest of it is written down in the folder of the work.
    """
    _jobs.require(request, _WANTED)
    limits = dict(_LIMITS, memory_bytes=_memory.half(machine))
    limits.update(request.get("limits") or {})
    request = dict(request, limits=limits)
    secrets = request.pop("secrets", None) or {}
    dataset = request["dataset"]
    if isinstance((dataset.get("credentials") or {}).get("environment"), dict):
        raise AgentError("bad_request", "The values of secrets belong into 'secrets', their names into the dataset.")
    if request["kind"] == "subset" and not (request.get("part") and request.get("parts")):
        raise AgentError("bad_request", "A subset needs part and parts.")
    _drivers.find(dataset["tool"])
    for identifier in _folder.identifiers(CHORE):
        _leftovers.end_orphan(_folder.load(_folder.path(CHORE, identifier), "state.json") or {})
    _folder.path(CHORE, request["id"])
    put = bool(secrets) and _memory.put_secrets(machine, request["id"], secrets)
    answer = {}
    try:
        own = {"dataset": dataset["id"], "kind": request["kind"], "proof": None}
        answer = _jobs.begin(machine, CHORE, request, own)
    finally:
        if put and not answer.get("started"):
            _memory.drop_secrets(machine, request["id"])
    return answer


def status(machine, identifier):
    """The state of a test with its proof; what one left whose program is gone is removed now."""
    _leftovers.end_orphan(_jobs.state_of(CHORE, identifier))
    return _jobs.status(
        machine,
        CHORE,
        identifier,
        lambda folder, state, rebooted, how: _interrupted(machine, folder, state, rebooted, how),
    )


def _interrupted(machine, folder, state, rebooted, how):
    """The end of a test whose program did not live to write it down."""
    _memory.drop_secrets(machine, state["id"])
    _memory.sweep(machine)
    removed = _leftovers.clear(machine, folder)
    code = "rebooted" if rebooted else "interrupted"
    text = "%s in the middle of the test (phase %s). Nothing is proven." % (how, state["phase"])
    proof = _proof.ended(_proof.empty(_folder.load(folder, "request.json")), code, text, _folder.now())
    proof["bounded"] = state["bounded"]
    if removed is not None:
        proof.update(sandbox=removed["path"], left=removed["left"])
        kept = " Some of what was restored could not be removed." if removed["left"] else ""
        proof["text"] += kept or " What was restored is removed."
    return {"outcome": "failed", "code": code, "text": proof["text"], "proof": proof}


def unfinished(machine):
    """Tests that run, or whose end is in nobody's evidence yet, oldest first."""
    return {"work": _jobs.unfinished(machine, CHORE, _SUMMARY)}


def recorded(machine, identifier):
    """Note that the end of a test is in evidence, so that no later run takes it up."""
    return _jobs.recorded(machine, CHORE, identifier)


def clean(machine, keep_days, now=None):
    """Remove tests that ended longer ago than that and are in evidence; not those that left something behind."""
    leaving = [
        identifier
        for identifier in _folder.identifiers(CHORE)
        if _folder.load(_folder.path(CHORE, identifier), _sandbox.MANIFEST) is not None
    ]
    return _jobs.clean(CHORE, keep_days, now, leaving)


def leftovers(machine, request):
    """Remove what earlier crashes left (see _leftovers.sweep), unless a test or another chore is at work."""
    for identifier in _folder.identifiers(CHORE):
        _leftovers.end_orphan(_folder.load(_folder.path(CHORE, identifier), "state.json") or {})
    lock = _folder.Lock()
    other = lock.take("backup verification, removing leftovers")
    if other:
        raise AgentError("host_locked", "Keepwell is at work on this host already: %s." % other)
    try:
        return _leftovers.sweep(machine, request.get("base"))
    finally:
        lock.release()
