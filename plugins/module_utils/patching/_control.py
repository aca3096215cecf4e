# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: start a transaction, see how it stands, take it back, forget it.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _folder, _jobs
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError
from ansible_collections.keepwell.fleet.plugins.module_utils.patching import _backends, _outcome

CHORE = "patching"
# What the id of a way back ends with.
_BACK = "R"
_LIMITS = {"runtime_s": 7200, "lock_timeout_s": 300, "nice": 10}
_SUMMARY = ("id", "kind", "run_id", "client", "host", "plan_hash", "phase", "outcome", "code", "text", "started_at")
_WANTED = ("id", "run_id", "client", "host", "plan_hash", "manager", "items", "moves", "program")


def start(machine, request):
    """Start the transaction of a request, or attach to it when it was started already."""
    _jobs.require(request, _WANTED)
    return _begin(machine, dict(request, kind="apply"))


def rollback(machine, request):
    """Start the way back from a transaction: like ``start``; its id is the former one's with an R behind."""
    former = _jobs.state_of(CHORE, request["id"])
    asked = _folder.load(_folder.path(CHORE, request["id"]), "request.json") or {}
    if former["kind"] != "apply" or not former["moves_done"]:
        raise AgentError("nothing_to_undo", "Transaction %s changed nothing that could go back." % request["id"])
    changed = set((move["name"], move["arch"]) for move in former["moves_done"])
    wanted = dict(asked, kind="rollback", id=request["id"] + _BACK, run_id=request["run_id"])
    wanted["moves"] = [
        move for move in asked["moves"] if (move["name"], move["arch"]) in changed and move["action"] != "retire"
    ]
    wanted["kept"] = former["kept"]
    wanted["program"] = request["program"]
    earlier = _folder.load(_folder.path(CHORE, wanted["id"]), "state.json")
    if earlier and earlier["outcome"] == "refused":
        # It touched nothing, so it may be tried again.
        _folder.remove(CHORE, wanted["id"])
    return _begin(machine, wanted)


def _begin(machine, request):
    request = dict(request, limits=dict(_LIMITS, **request.get("limits") or {}))
    own = dict((name, request.get(name)) for name in ("kind", "plan_hash", "manager"))
    own.update({"history_id": None, "before": {}, "after": {}, "kept": {}, "not_kept": {}})
    own.update({"moves_done": [], "config_files": [], "half_done": []})
    # Refuses what it cannot patch before anything is written.
    return _jobs.begin(
        machine, CHORE, request, own, lambda machine: _backends.find(machine, request["manager"])[1].refused(machine)
    )


def status(machine, identifier):
    """The state of a transaction; one whose program is gone before its end is judged now, by what is installed."""
    return _jobs.status(
        machine,
        CHORE,
        identifier,
        lambda folder, state, rebooted, how: _interrupted(machine, folder, state, rebooted, how),
        hidden=("planned", "installed"),
    )


def _interrupted(machine, folder, state, rebooted, how):
    """The end of a transaction whose program did not live to write it down."""
    touched = state["phase"] in ("applying", "collecting")
    found = {"half_done": []}
    if touched:
        backend = _backends.find(machine, state["manager"])[1]
        found = _outcome.collect(machine, backend, folder, state["planned"], _folder.log_tail(folder))
    count = len(found.get("moves_done", []))
    left = "; ".join(found["half_done"][:5])
    text = "%s in the middle of the work (phase %s): %s. %s" % (
        how,
        state["phase"],
        "%d packages had changed" % count if touched else "nothing was changed yet",
        "Half-done: %s." % left if left else "Nothing is half-done.",
    )
    code = "rebooted" if rebooted else "interrupted"
    return dict(found, outcome="failed" if touched else "refused", code=code, text=text)


def unfinished(machine):
    """Transactions that run, or whose end is in nobody's evidence yet, oldest first."""
    return {"transactions": _jobs.unfinished(machine, CHORE, _SUMMARY)}


def recorded(machine, identifier):
    """Note that the end of a transaction is in evidence, so that no later run takes it up."""
    # Whoever has it in evidence followed its way back, too.
    return _jobs.recorded(machine, CHORE, identifier, also=(identifier + _BACK,))


def clean(keep_days, now=None):
    """Remove transactions that ended longer ago than that and are in evidence: {"removed": [id], "kept": [id]}."""
    return _jobs.clean(CHORE, keep_days, now)
