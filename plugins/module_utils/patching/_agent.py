# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the one entry to everything that patching asks of a host.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import time

from ansible_collections.keepwell.fleet.plugins.module_utils.patching import (
    _backends,
    _boot,
    _control,
    _look,
    _refresh,
    _services,
    _user_probes,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.patching._errors import AgentError
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine

_LOOK_S = 60.0

_OPERATIONS = {
    "look": lambda machine, asked: _look.look(
        Machine(time.monotonic() + _LOOK_S), asked.get("manager") or "", asked.get("items") or []
    ),
    "start": _control.start,
    "status": lambda machine, asked: _control.status(machine, asked["id"]),
    "unfinished": lambda machine, asked: _control.unfinished(machine),
    "recorded": lambda machine, asked: _control.recorded(machine, asked["id"]),
    "rollback": _control.rollback,
    "clean": lambda machine, asked: _control.clean(machine, asked["keep_days"], asked.get("now")),
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


_NEEDED = {
    "status": ("id",),
    "recorded": ("id",),
    "rollback": ("id", "run_id", "program"),
    "clean": ("keep_days",),
    "restart": ("units", "timeout_s"),
    "probes": ("probes",),
}


def answer(request):
    """Answer a request: what its operation returns, or {"error": stable word, "text": one sentence}."""
    name = request.get("operation")
    if name not in _OPERATIONS:
        return {"error": "bad_request", "text": "Unknown operation %r." % (name,)}
    lacking = [field for field in _NEEDED.get(name, ()) if field not in request]
    if lacking:
        return {"error": "bad_request", "text": "The request lacks %s." % ", ".join(lacking)}
    machine = Machine()
    if not machine.privileged:
        return {"error": "needs_root", "text": "Patching needs root on the host; let the inventory use become."}
    try:
        return _OPERATIONS[name](machine, request)
    except AgentError as exc:
        return {"error": exc.code, "text": exc.text}
    except OSError as exc:
        where = " (%s)" % exc.filename if exc.filename else ""
        return {"error": "host_error", "text": "The host says: %s%s." % (exc.strerror or exc, where)}
    except Exception as exc:
        # A traceback over the connection would be no answer at all.
        return {"error": "internal", "text": "The program on the host failed: %s: %s." % (type(exc).__name__, exc)}
