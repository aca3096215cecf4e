# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: how the agent of a chore answers whatever the control node asks of a host.

Every chore has a module ``_agent`` with OPERATIONS (name -> function of the machine and the request), NEEDED (name ->
fields that the request must have), READING (names of operations that change nothing), and ``answer(request)``.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine


def answer(request, operations, needed, title):
    """Answer a request: what its operation returns, or {"error": stable word, "text": one sentence}."""
    name = request.get("operation")
    if name not in operations:
        return {"error": "bad_request", "text": "Unknown operation %r." % (name,)}
    lacking = [field for field in needed.get(name, ()) if field not in request]
    if lacking:
        return {"error": "bad_request", "text": "The request lacks %s." % ", ".join(lacking)}
    machine = Machine()
    if not machine.privileged:
        return {"error": "needs_root", "text": "%s needs root on the host; let the inventory use become." % title}
    try:
        return operations[name](machine, request)
    except AgentError as exc:
        return {"error": exc.code, "text": exc.text}
    except OSError as exc:
        where = " (%s)" % exc.filename if exc.filename else ""
        return {"error": "host_error", "text": "The host says: %s%s." % (exc.strerror or exc, where)}
    except Exception as exc:
        # A traceback over the connection would be no answer at all.
        return {"error": "internal", "text": "The program on the host failed: %s: %s." % (type(exc).__name__, exc)}
