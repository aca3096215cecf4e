# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: start antivirus work, see how it stands, forget it.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import contextlib

from ansible_collections.keepwell.fleet.plugins.module_utils.antivirus import _ledger, _places, _vault
from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _jobs
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError

CHORE = "antivirus"
STEPS = ("update", "repair", "scan", "quarantine", "rescan", "restore")
_LIMITS = {"runtime_s": 7200, "nice": 19, "idle": True, "whole": True}
_SUMMARY = ("id", "run_id", "client", "host", "steps", "phase", "outcome", "code", "text", "started_at")
_WANTED = ("id", "run_id", "client", "host", "steps", "program")
_NEEDED = {"repair": "repair", "scan": "scan", "quarantine": "quarantine", "rescan": "scan", "restore": "restore"}
_TOUCHING = ("updating", "repairing", "quarantining", "restoring")


def start(machine, request):
    """Start the work of a request, or attach to it when it was started already."""
    _jobs.require(request, _WANTED)
    unknown = [name for name in request["steps"] if name not in STEPS]
    if unknown:
        raise AgentError("bad_request", "Unknown steps: %s." % ", ".join(map(str, unknown)))
    _jobs.require(request, sorted(set(_NEEDED[name] for name in request["steps"] if name in _NEEDED)))
    request = dict(request, limits=dict(_LIMITS, **request.get("limits") or {}))
    own = {"steps": request["steps"], "results": {}, "progress": {}, "waits_until": None}
    return _jobs.begin(machine, CHORE, request, own)


def status(machine, identifier):
    """The state of a piece of work; one whose program is gone before its end is judged now."""

    def interrupted(_folder, state, rebooted, how):
        return _cut_off(machine, state, rebooted, how)

    return _jobs.status(machine, CHORE, identifier, interrupted)


def _cut_off(machine, state, rebooted, how):
    """The end of work whose program did not live to write it down."""
    touched = state["phase"] in _TOUCHING or bool(state["results"])
    taken = _vault.settle(machine) if "quarantine" in state["steps"] else []
    if taken:
        # Whoever comes next finds the files settled: what they were is noted here or nowhere.
        with contextlib.suppress(ValueError):
            ledger = _ledger.load()
            _ledger.settled(ledger, taken)
            _ledger.save(ledger)
    progress = state["progress"]
    so_far = "; it had scanned %d files, up to %s" % (progress["files"], progress["at"]) if "files" in progress else ""
    moved = ", ".join(_places.printable(entry["path"]) for entry in taken)
    moved = "; moved at the last moment: %s" % moved if moved else ""
    done = ", ".join(name for name in state["steps"] if name in state["results"]) or "nothing"
    text = "%s in the middle of the work (%s)%s%s. Done before: %s." % (how, state["phase"], so_far, moved, done)
    return {
        "outcome": "failed" if touched else "refused",
        "code": "rebooted" if rebooted else "interrupted",
        "text": text,
    }


def unfinished(machine):
    """Work that runs, or whose end is in nobody's evidence yet, oldest first."""
    return {"work": _jobs.unfinished(machine, CHORE, _SUMMARY)}


def recorded(machine, identifier):
    """Note that the end of a piece of work is in evidence."""
    return _jobs.recorded(machine, CHORE, identifier)


def clean(keep_days, now=None):
    """Remove the accounts of work that ended longer ago than that. What is in quarantine stays."""
    return _jobs.clean(CHORE, keep_days, now)


def quarantined(machine):
    """What is in quarantine on this host."""
    names = ("id", "path", "sha256", "size", "owner", "mode", "signature", "run_id", "at", "folder", "state")
    entries = [dict((name, entry[name]) for name in names) for entry in _vault.entries(machine)]
    return {"entries": [dict(entry, path=_places.printable(entry["path"])) for entry in entries]}
