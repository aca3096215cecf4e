# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: look at the backups of datasets, and at what a test of one would do. Changes nothing.

Metadata of repositories is read and nothing written but scratch in memory. Each dataset has a process and a time of
its own, so that a repository that does not answer costs no other one. Runs on managed hosts: standard library only,
Python 3.6 syntax.
"""

import json
import os
import time

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import (
    _credentials,
    _driver,
    _drivers,
    _leftovers,
    _memory,
    _plan,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _folder
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine

_BUDGET_S = 60.0
_LEAST_S = 5.0
# A command that has to be ended is given time to end by itself.
_GRACE_S = 25.0
_NICE = 10
_COMMAND = "command.json"


def look(machine, request):
    """{"datasets": {id: look}} of ``datasets``; ``budget_s`` is for all, what one does not need the next ones have."""
    datasets, secrets = request["datasets"], request.get("secrets") or {}
    end = time.monotonic() + (request.get("budget_s") or _BUDGET_S)
    found = {}
    with _memory.scratch(machine) as scratch:
        for number, dataset in enumerate(datasets):
            limit = max(_LEAST_S, (end - time.monotonic()) / (len(datasets) - number))
            asked = {"dataset": dataset, "secrets": secrets.get(dataset["id"]) or {}}
            status, answer = _apart(os.path.join(scratch, str(number)), limit, asked, lambda driver: driver.list())
            if status == "ok":
                found[dataset["id"]] = answer
            else:
                text = answer or "The repository did not answer within %d s." % limit
                found[dataset["id"]] = _driver.look(status, text)
    return {"datasets": found}


def plan(machine, request):
    """What a test would do: see _plan.plan. Raises AgentError when that cannot be found out."""
    limit = request.get("budget_s") or _BUDGET_S
    asked = dict(request, secrets=request.get("secrets") or {})
    with _memory.scratch(machine) as scratch:
        folder = os.path.join(scratch, "0")
        status, answer = _apart(folder, limit, asked, lambda driver: _plan.plan(driver, request))
    if status != "ok":
        raise AgentError(status, answer or "The repository did not say within %d s what is in it." % limit)
    return answer


def _apart(folder, limit, asked, ask):
    """(Status, what ``ask(driver)`` returns or a sentence) in a child of its own that may take ``limit`` seconds."""
    os.mkdir(folder, 0o700)
    machine = Machine(time.monotonic() + limit + _GRACE_S)
    status, answer = machine.in_child(lambda: _asked(folder, limit, asked, ask), limit + _GRACE_S)
    command = _folder.load(folder, _COMMAND)
    if command:
        _leftovers.end_command(command)
    # It is memory, and the next dataset may need as much.
    _memory.empty(folder)
    if status == "ok":
        return answer
    return "timeout" if status == "timeout" else "error", ""


def _asked(folder, limit, asked, ask):
    """In the child: (status, answer), without secrets."""
    scrubber = _credentials.Scrubber()
    end = time.monotonic() + limit

    def tell(pid):
        _folder.dump(folder, _COMMAND, pid and {"pid": pid, "started": _folder.started(pid)})

    try:
        # It is no hurry, and the host has its own work to do.
        os.nice(_NICE)
        machine = Machine(end)
        environment, _source, scrubber = _credentials.resolve(machine, asked["dataset"], asked["secrets"])
        scratch = os.path.join(folder, "scratch")
        os.mkdir(scratch, 0o700)
        commands = _drivers.QuietCommands(machine, folder, end, scrubber, None, tell)
        driver = _drivers.make(commands, asked["dataset"], environment, scratch)
        return "ok", scrubber.document(json.loads(json.dumps(ask(driver))))
    except AgentError as exc:
        return ("timeout" if exc.code == "timeout" else "error"), scrubber.text(exc.text)
    except Exception as exc:
        return "error", scrubber.text("The driver failed: %s: %s." % (type(exc).__name__, exc))
