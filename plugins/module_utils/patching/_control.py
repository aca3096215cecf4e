# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: start a transaction, see how it stands, take it back, forget it.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import time

from ansible_collections.keepwell.fleet.plugins.module_utils.patching import (
    _backends,
    _boot,
    _folder,
    _outcome,
    _unit,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.patching._errors import AgentError

# What the id of a way back ends with.
_BACK = "R"
# A program that was just started has not said yet which process it is.
_STARTING_S = 20.0
_LIMITS = {"runtime_s": 7200, "lock_timeout_s": 300, "nice": 10}
_SUMMARY = ("id", "kind", "run_id", "client", "host", "plan_hash", "phase", "outcome", "code", "text", "started_at")
_WANTED = ("id", "run_id", "client", "host", "plan_hash", "manager", "items", "moves", "program")


def start(machine, request):
    """Start the transaction of a request, or attach to it when it was started already."""
    lacking = [name for name in _WANTED if request.get(name) in (None, "")]
    if lacking:
        raise AgentError("bad_request", "The request lacks %s." % ", ".join(lacking))
    return _begin(machine, dict(request, kind="apply"))


def rollback(machine, request):
    """Start the way back from a transaction: like ``start``; its id is the former one's with an R behind."""
    former = _state(request["id"])
    asked = _folder.load(_folder.path(request["id"]), "request.json") or {}
    if former["kind"] != "apply" or not former["moves_done"]:
        raise AgentError("nothing_to_undo", "Transaction %s changed nothing that could go back." % request["id"])
    changed = set((move["name"], move["arch"]) for move in former["moves_done"])
    wanted = dict(asked, kind="rollback", id=request["id"] + _BACK, run_id=request["run_id"])
    wanted["moves"] = [
        move for move in asked["moves"] if (move["name"], move["arch"]) in changed and move["action"] != "retire"
    ]
    wanted["kept"] = former["kept"]
    wanted["program"] = request["program"]
    earlier = _folder.load(_folder.path(wanted["id"]), "state.json")
    if earlier and earlier["outcome"] == "refused":
        # It touched nothing, so it may be tried again.
        _folder.remove(wanted["id"])
    return _begin(machine, wanted)


def _begin(machine, request):
    with _folder.starting():
        return _begin_alone(machine, request)


def _begin_alone(machine, request):
    identifier = request["id"]
    answer = {"id": identifier, "unit": _unit.name(identifier), "started": False, "attached": False, "text": ""}
    if _folder.load(_folder.path(identifier), "state.json") is not None:
        return dict(answer, attached=True, text="it was started before")
    other = _running(machine)
    if other:
        text = "Keepwell is at work on this host already: transaction %s of run %s." % (other["id"], other["run_id"])
        return dict(answer, code="host_locked", text=text)
    # Refuses what it cannot patch before anything is written.
    refused = _backends.find(machine, request["manager"])[1].refused(machine)
    if refused:
        return dict(answer, code="not_supported", text=refused)
    limits = dict(_LIMITS)
    limits.update(request.get("limits") or {})
    request = dict(request, limits=limits)
    program = request.pop("program")
    folder = _folder.make(identifier)
    try:
        _folder.write(folder, "program.py", program)
        _folder.dump(folder, "request.json", request)
        _folder.dump(folder, "state.json", _fresh(machine, request))
        _unit.start(machine, identifier, folder, limits)
    except OSError as exc:
        _folder.remove(identifier)
        return dict(answer, code="no_folder", text="The transaction cannot be written down: %s." % exc.strerror)
    except AgentError as exc:
        _folder.remove(identifier)
        return dict(answer, code=exc.code, text=exc.text)
    return dict(answer, started=True)


def _fresh(machine, request):
    state = dict((name, request.get(name)) for name in ("id", "kind", "run_id", "client", "host", "plan_hash"))
    for name in ("outcome", "ended_at", "process", "command", "history_id"):
        state[name] = None
    for name in ("before", "after", "kept", "not_kept"):
        state[name] = {}
    for name in ("moves_done", "config_files", "half_done"):
        state[name] = []
    state.update({"phase": "waiting", "code": "", "text": "", "bounded": "", "recorded": False})
    state.update({"started_at": _folder.now(), "boot": _boot.identity(machine), "manager": request["manager"]})
    return state


def _state(identifier):
    state = _folder.load(_folder.path(identifier), "state.json")
    if state is None:
        raise AgentError("unknown_transaction", "This host knows no transaction %s." % identifier)
    return state


def _lives(machine, state):
    """True while its unit, its program or the package manager that it started lives."""
    if _boot.identity(machine) != state["boot"]:
        return False
    if state["process"] is None and abs(_folder.now() - state["started_at"]) < _STARTING_S:
        return True
    if _folder.is_alive(state["process"]) or _folder.is_alive(state["command"]):
        return True
    unit = _unit.state(machine, state["id"])
    return bool(unit) and unit["active_state"] in ("active", "activating", "deactivating", "reloading")


def _running(machine):
    """State of a transaction that has not ended; None when there is none."""
    for identifier in reversed(_folder.identifiers()):
        state = _folder.load(_folder.path(identifier), "state.json")
        if state and state["phase"] != "ended" and _lives(machine, state):
            return state
    return None


def status(machine, identifier):
    """The state of a transaction; one whose program is gone before its end is judged now, by what is installed."""
    state = _state(identifier)
    alive = state["phase"] != "ended" and _lives(machine, state)
    unit = _unit.state(machine, identifier)
    if state["phase"] != "ended" and not alive:
        # It may have ended between the two looks.
        state = _state(identifier)
        if state["phase"] != "ended":
            state = _interrupted(machine, state, unit)
    folder = _folder.path(identifier)
    answer = dict((name, value) for name, value in state.items() if name not in ("planned", "installed"))
    return dict(answer, alive=alive, unit=unit, log_tail=_folder.log_tail(folder))


def _interrupted(machine, state, unit):
    """Write down the end of a transaction whose program did not live to do so."""
    folder = _folder.path(state["id"])
    touched = state["phase"] in ("applying", "collecting")
    rebooted = _boot.identity(machine) != state["boot"]
    how = "The host was rebooted" if rebooted else "The program was ended"
    if unit and unit["result"] not in ("", "success") and not rebooted:
        how += " (%s)" % unit["result"]
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
    state.update(found)
    code = "rebooted" if rebooted else "interrupted"
    state.update({"phase": "ended", "outcome": "failed" if touched else "refused", "code": code, "text": text})
    state.update({"ended_at": _folder.now(), "command": None})
    _folder.dump(folder, "state.json", state)
    _unit.forget(machine, state["id"])
    return state


def unfinished(machine):
    """Transactions that run, or whose end is in nobody's evidence yet, oldest first."""
    found = []
    for identifier in _folder.identifiers():
        state = _folder.load(_folder.path(identifier), "state.json")
        if state is None or state["recorded"]:
            continue
        alive = state["phase"] != "ended" and _lives(machine, state)
        found.append(dict(((name, state.get(name)) for name in _SUMMARY), alive=alive))
    return {"transactions": found}


def recorded(machine, identifier):
    """Note that the end of a transaction is in evidence, so that no later run takes it up."""
    state = _state(identifier)
    if state["phase"] != "ended":
        raise AgentError("not_ended", "Transaction %s has not ended yet." % identifier)
    # Whoever has it in evidence followed its way back, too.
    for name in (identifier, identifier + _BACK):
        state = _folder.load(_folder.path(name), "state.json")
        if state and state["phase"] == "ended":
            state["recorded"] = True
            _folder.dump(_folder.path(name), "state.json", state)
            _unit.forget(machine, name)
    return {"recorded": True}


def clean(machine, keep_days, now=None):
    """Remove transactions that ended longer ago than that and are in evidence: {"removed": [id], "kept": [id]}."""
    oldest = (time.time() if now is None else now) - keep_days * 86400.0
    answer = {"removed": [], "kept": []}
    for identifier in _folder.identifiers():
        state = _folder.load(_folder.path(identifier), "state.json")
        old = state is not None and state["recorded"] and (state["ended_at"] or oldest) < oldest
        if old:
            _folder.remove(identifier)
        answer["removed" if old else "kept"].append(identifier)
    return answer
