# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: start a cleanup or a growth, see how it stands, forget it.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _jobs
from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup import _sweep

CHORE = "disk_cleanup"
_LIMITS = {"runtime_s": 3600, "nice": 19, "idle": True}
_SUMMARY = ("id", "kind", "run_id", "client", "host", "phase", "outcome", "code", "text", "started_at")


def start(machine, request):
    """Start what a request asks for, or attach to it when it was started already."""
    _jobs.require(request, ("id", "run_id", "client", "host", "kind", "program"))
    if request["kind"] == "cleanup":
        # Refuses what may not be done before anything is written.
        _sweep.request_of(request)
    else:
        _jobs.require(request, ("mounts",))
    request = dict(request, limits=dict(_LIMITS, **request.get("limits") or {}))
    own = {"kind": request["kind"], "filesystems": [], "rules": [], "steps": []}
    return _jobs.begin(machine, CHORE, request, own)


def status(machine, identifier):
    """The state of a piece of work; one whose program is gone before its end is judged now."""
    return _jobs.status(machine, CHORE, identifier, _interrupted)


def _interrupted(_folder, state, rebooted, how):
    """The end of work whose program did not live to write it down: what it told last is what is known."""
    touched = state["phase"] in ("cleaning", "growing")
    gone = sum(rule["files"] for rule in state["rules"])
    text = "%s in the middle of the work (phase %s). %s" % (
        how,
        state["phase"],
        _came_of_it(state["phase"], gone) if touched else "Nothing was changed yet.",
    )
    code = "rebooted" if rebooted else "interrupted"
    return {"outcome": "failed" if touched else "refused", "code": code, "text": text}


def _came_of_it(phase, gone):
    if phase == "growing":
        return "A volume or a partition may be larger already and its filesystem not: the next run makes up for that."
    return (
        "At least %d files had gone. No file is half done; a package manager that removed kernels may be in the "
        "middle of it." % gone
    )


def unfinished(machine):
    """Work that runs, or whose end is in nobody's evidence yet, oldest first."""
    return {"work": _jobs.unfinished(machine, CHORE, _SUMMARY)}


def recorded(machine, identifier):
    """Note that the end of a piece of work is in evidence, so that no later run takes it up."""
    return _jobs.recorded(machine, CHORE, identifier)


def clean(keep_days, now=None):
    """Remove work that ended longer ago than that and is in evidence."""
    return _jobs.clean(CHORE, keep_days, now)
