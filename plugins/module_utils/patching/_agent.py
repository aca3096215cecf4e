# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the one entry to everything that patching asks of a host.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import time

from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _answer
from ansible_collections.keepwell.fleet.plugins.module_utils.patching import (
    _backends,
    _boot,
    _control,
    _look,
    _refresh,
    _services,
    _user_probes,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine

_LOOK_S = 60.0

OPERATIONS = {
    "look": lambda machine, asked: _look.look(
        Machine(time.monotonic() + _LOOK_S), asked.get("manager") or "", asked.get("items") or []
    ),
    "start": _control.start,
    "status": lambda machine, asked: _control.status(machine, asked["id"]),
    "unfinished": lambda machine, asked: _control.unfinished(machine),
    "recorded": lambda machine, asked: _control.recorded(machine, asked["id"]),
    "rollback": _control.rollback,
    "clean": lambda machine, asked: _control.clean(asked["keep_days"], asked.get("now")),
    "boot": lambda machine, asked: _boot.boot(machine),
    "refresh": lambda machine, asked: _refresh.refresh(
        machine, asked.get("manager") or "", asked.get("timeout_s") or 600
    ),
    "restart": lambda machine, asked: _services.restart(
        Machine(time.monotonic() + asked["timeout_s"] + _LOOK_S), asked["units"], asked["timeout_s"]
    ),
    "probes": lambda machine, asked: _user_probes.ask(machine, asked["probes"]),
    "reboot": lambda machine, asked: _boot.reboot(
        machine, _backends.find(machine, "")[0], asked.get("reason") or "", asked.get("delay_s") or 2
    ),
}
NEEDED = {
    "status": ("id",),
    "recorded": ("id",),
    "rollback": ("id", "run_id", "program"),
    "clean": ("keep_days",),
    "restart": ("units", "timeout_s"),
    "probes": ("probes",),
}


# The others change the host.
READING = ("look", "status", "boot", "probes", "unfinished")


def answer(request):
    """Answer a request: what its operation returns, or {"error": stable word, "text": one sentence}."""
    return _answer.answer(request, OPERATIONS, NEEDED, "Patching")
