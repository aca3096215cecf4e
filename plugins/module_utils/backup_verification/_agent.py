# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the one entry to everything that backup verification asks of a host.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _canary, _control, _look
from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _answer, _folder
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError


def _canaries(_machine, asked):
    """Renew canaries: {"canaries": {id: see _canary.renew, or {"error", "text"}}}; one never costs another."""
    found = {}
    for wanted in asked["canaries"]:
        try:
            found[wanted["id"]] = _canary.renew(
                wanted["id"], wanted["path"], wanted["every_hours"], asked.get("now") or _folder.now()
            )
        except AgentError as exc:
            found[wanted["id"]] = {"error": exc.code, "text": exc.text}
        except OSError as exc:
            text = "The canary %s cannot be written: %s." % (wanted["path"], exc.strerror)
            found[wanted["id"]] = {"error": "host_error", "text": text}
    return {"canaries": found}


OPERATIONS = {
    "look": _look.look,
    "plan": _look.plan,
    "start": _control.start,
    "status": lambda machine, asked: _control.status(machine, asked["id"]),
    "unfinished": lambda machine, asked: _control.unfinished(machine),
    "recorded": lambda machine, asked: _control.recorded(machine, asked["id"]),
    "clean": lambda machine, asked: _control.clean(machine, asked["keep_days"], asked.get("now")),
    "canary": _canaries,
    "leftovers": _control.leftovers,
}
NEEDED = {
    "look": ("datasets",),
    "plan": ("dataset", "kind"),
    "status": ("id",),
    "recorded": ("id",),
    "clean": ("keep_days",),
    "canary": ("canaries",),
}


# The others change the host.
READING = ("look", "plan", "status", "unfinished")


def answer(request):
    """Answer a request: what its operation returns, or {"error": stable word, "text": one sentence}."""
    return _answer.answer(request, OPERATIONS, NEEDED, "Backup verification")
