# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: a piece of a chore's work on a host: start it, see how it stands, forget it.

Work is a program in a folder of its own (see _folder) and a unit of its own (see _unit). All it has to say is in
state.json, of which this knows: id, run_id, phase (ends with "ended"), outcome, code, text, started_at, ended_at,
process and command (see _folder.is_alive), boot, bounded, recorded. Everything else there belongs to the chore.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import time

from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _folder, _system, _unit
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError

# A program that was just started has not said yet which process it is.
_STARTING_S = 20.0


def require(request, names):
    """Raise AgentError unless the request has all these."""
    lacking = [name for name in names if request.get(name) in (None, "")]
    if lacking:
        raise AgentError("bad_request", "The request lacks %s." % ", ".join(lacking))


def begin(machine, chore, request, own, refused=None):
    """Start the work of a request, or attach to it when it was started already.

    ``request`` has id, run_id, program and limits (see ``_unit.start``), and whatever the program reads of it; ``own``
    is what the chore has in state.json from the start; ``refused(machine)`` may give a reason against it, before
    anything is written. Returns {id, unit, started, attached, text} and, when it was not started, a code.
    """
    with _folder.starting(chore):
        return _begin(machine, chore, request, own, refused)


def _begin(machine, chore, request, own, refused):
    identifier = request["id"]
    unit = _unit.name(chore, identifier)
    answer = {"id": identifier, "unit": unit, "started": False, "attached": False, "text": ""}
    if _folder.load(_folder.path(chore, identifier), "state.json") is not None:
        return dict(answer, attached=True, text="it was started before")
    other = running(machine)
    if other:
        return dict(answer, code="host_locked", text="Keepwell is at work on this host already: %s." % other)
    against = refused(machine) if refused else ""
    if against:
        return dict(answer, code="not_supported", text=against)
    request = dict(request)
    program = request.pop("program")
    folder = _folder.make(chore, identifier)
    try:
        _folder.write(folder, "program.py", program)
        _folder.dump(folder, "request.json", request)
        _folder.dump(folder, "state.json", dict(_fresh(machine, request), **own))
        _unit.start(machine, chore, identifier, folder, request["limits"])
    except OSError as exc:
        _folder.remove(chore, identifier)
        return dict(answer, code="no_folder", text="The work cannot be written down: %s." % exc.strerror)
    except AgentError as exc:
        _folder.remove(chore, identifier)
        return dict(answer, code=exc.code, text=exc.text)
    return dict(answer, started=True)


def _fresh(machine, request):
    state = dict((name, request.get(name)) for name in ("id", "run_id", "client", "host"))
    state.update({"phase": "waiting", "outcome": None, "code": "", "text": "", "bounded": "", "recorded": False})
    state.update({"process": None, "command": None, "ended_at": None})
    state.update({"started_at": _folder.now(), "boot": _system.identity(machine)})
    return state


def state_of(chore, identifier):
    """state.json of a piece of work. Raises AgentError when the host knows none."""
    state = _folder.load(_folder.path(chore, identifier), "state.json")
    if state is None:
        raise AgentError("unknown_work", "This host knows no work %s." % identifier)
    return state


def lives(machine, chore, state):
    """True while its unit, its program or the command that it started lives."""
    if _system.identity(machine) != state["boot"]:
        return False
    if state["process"] is None and abs(_folder.now() - state["started_at"]) < _STARTING_S:
        return True
    if _folder.is_alive(state["process"]) or _folder.is_alive(state["command"]):
        return True
    unit = _unit.state(machine, chore, state["id"])
    return bool(unit) and unit["active_state"] in ("active", "activating", "deactivating", "reloading")


def running(machine):
    """Which work of any chore has not ended, in words; "" when none has.

    The lock alone does not tell: it goes with the program that holds it, and what the program started may go on.
    """
    for chore in _folder.chores():
        for identifier in reversed(_folder.identifiers(chore)):
            state = _folder.load(_folder.path(chore, identifier), "state.json")
            if state and state["phase"] != "ended" and lives(machine, chore, state):
                return "%s %s of run %s" % (chore.replace("_", " "), identifier, state["run_id"])
    return ""


def busy(machine):
    """Who is at work on this host for Keepwell, in words: the lock's holder, or work that lost it; "" for nobody."""
    return _folder.holder() or running(machine)


def status(machine, chore, identifier, interrupted, hidden=()):
    """The state of a piece of work, with alive, unit and log_tail; ``hidden`` names what is not told.

    One whose program is gone before its end is judged now: ``interrupted(folder, state, rebooted, how)`` returns what
    to put into its state: outcome, code, text, and what the chore found.
    """
    state = state_of(chore, identifier)
    alive = state["phase"] != "ended" and lives(machine, chore, state)
    unit = _unit.state(machine, chore, identifier)
    folder = _folder.path(chore, identifier)
    if state["phase"] != "ended" and not alive:
        # It may have ended between the two looks.
        state = state_of(chore, identifier)
        if state["phase"] != "ended":
            rebooted = _system.identity(machine) != state["boot"]
            how = "The host was rebooted" if rebooted else "The program was ended"
            if unit and unit["result"] not in ("", "success") and not rebooted:
                how += " (%s)" % unit["result"]
            state.update(interrupted(folder, state, rebooted, how))
            state.update({"phase": "ended", "ended_at": _folder.now(), "command": None})
            _folder.dump(folder, "state.json", state)
            _unit.forget(machine, chore, identifier)
    answer = dict((name, value) for name, value in state.items() if name not in hidden)
    return dict(answer, alive=alive, unit=unit, log_tail=_folder.log_tail(folder))


def unfinished(machine, chore, fields):
    """Work that goes on, or whose end is in nobody's evidence yet, oldest first: these fields of its state, alive."""
    found = []
    for identifier in _folder.identifiers(chore):
        state = _folder.load(_folder.path(chore, identifier), "state.json")
        if state is None or state["recorded"]:
            continue
        alive = state["phase"] != "ended" and lives(machine, chore, state)
        found.append(dict(((name, state.get(name)) for name in fields), alive=alive))
    return found


def recorded(machine, chore, identifier, also=()):
    """Note that the end of a piece of work is in evidence, so that no later run takes it up; and of ``also``."""
    if state_of(chore, identifier)["phase"] != "ended":
        raise AgentError("not_ended", "Work %s has not ended yet." % identifier)
    for name in (identifier,) + tuple(also):
        folder = _folder.path(chore, name)
        state = _folder.load(folder, "state.json")
        if state and state["phase"] == "ended":
            state["recorded"] = True
            _folder.dump(folder, "state.json", state)
            _unit.forget(machine, chore, name)
    return {"recorded": True}


def clean(chore, keep_days, now=None, spared=()):
    """Remove work that ended longer ago than that and is in evidence, but none of ``spared``.

    Returns {"removed": [id], "kept": [id]}.
    """
    oldest = (time.time() if now is None else now) - keep_days * 86400.0
    answer = {"removed": [], "kept": []}
    for identifier in _folder.identifiers(chore):
        state = _folder.load(_folder.path(chore, identifier), "state.json")
        done = state is not None and state["recorded"] and identifier not in spared
        old = done and (state["ended_at"] or oldest) < oldest
        if old:
            _folder.remove(chore, identifier)
        answer["removed" if old else "kept"].append(identifier)
    return answer
