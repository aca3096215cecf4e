# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the one entry to everything that disk cleanup asks of a host.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import time

from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _answer
from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup import _control, _grow, _growers, _sweep
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine

_LOOK_S = 300.0

OPERATIONS = {
    "preview": lambda machine, asked: _sweep.sweep(Machine(time.monotonic() + _LOOK_S), asked, False, machine.now()),
    "growers": lambda machine, asked: {
        "filesystems": _growers.collect(
            Machine(time.monotonic() + _LOOK_S), asked["mounts"], asked["entries"], asked["seconds"]
        )
    },
    "plan_growth": lambda machine, asked: {
        "plans": [_grow.plan(Machine(time.monotonic() + _LOOK_S), wanted) for wanted in asked["mounts"]]
    },
    "start": _control.start,
    "status": lambda machine, asked: _control.status(machine, asked["id"]),
    "unfinished": lambda machine, asked: _control.unfinished(machine),
    "recorded": lambda machine, asked: _control.recorded(machine, asked["id"]),
    "clean": lambda machine, asked: _control.clean(asked["keep_days"], asked.get("now")),
}
NEEDED = {
    "growers": ("mounts", "entries", "seconds"),
    "plan_growth": ("mounts",),
    "status": ("id",),
    "recorded": ("id",),
    "clean": ("keep_days",),
}


# The others change the host.
READING = ("preview", "growers", "plan_growth", "status", "unfinished")


def answer(request):
    """Answer a request: what its operation returns, or {"error": stable word, "text": one sentence}."""
    return _answer.answer(request, OPERATIONS, NEEDED, "Disk cleanup")
