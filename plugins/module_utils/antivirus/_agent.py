# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the one entry to everything that antivirus work asks of a host.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import time

from ansible_collections.keepwell.fleet.plugins.module_utils.antivirus import (
    _control,
    _engine,
    _ledger,
    _places,
    _repair,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _answer, _jobs
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine

_LOOK_S = 60.0
# How long, and how far, a preview counts.
_COUNT_S = 10.0
_COUNT_FILES = 2000000
# What is told of a detection.
_TOLD = ("id", "name", "state", "why")


def look(machine, request):
    """What the work would meet: engines, units that are down, what a scan would go over, what is in quarantine."""
    engines = _engine.look(machine)
    answer = {
        "engines": engines,
        "stopped": _repair.stopped(machine),
        "quarantined": _control.quarantined(machine)["entries"],
        "lock": _jobs.busy(machine),
        "open": [],
        "ledger": "",
        "targets": None,
    }
    try:
        entries = _ledger.load()["detections"].values()
        known = [entry for entry in entries if entry["state"] != "cleared"]
        answer["open"] = [
            dict([(name, entry[name]) for name in _TOLD], path=_places.printable(entry["path"])) for entry in known
        ]
    except ValueError as exc:
        answer["ledger"] = str(exc)
    scan = request.get("scan")
    if scan:
        largest = _engine.largest(engines["clamav"], scan) if engines["clamav"] else scan["max_file_bytes"]
        walk = _places.Walk(machine, scan["paths"], scan["exclude"], scan["backups"], largest)
        counted = _places.estimate(machine, walk, _COUNT_S, _COUNT_FILES)
        left_out = dict((path, _places.REASONS[code]) for path, code in sorted(walk.left_out.items()))
        answer["targets"] = dict(counted, left_out=left_out, skipped=walk.skipped, largest_bytes=largest)
    return answer


OPERATIONS = {
    "look": lambda machine, asked: look(Machine(time.monotonic() + _LOOK_S), asked),
    "start": _control.start,
    "status": lambda machine, asked: _control.status(machine, asked["id"]),
    "unfinished": lambda machine, asked: _control.unfinished(machine),
    "recorded": lambda machine, asked: _control.recorded(machine, asked["id"]),
    "clean": lambda machine, asked: _control.clean(asked["keep_days"], asked.get("now")),
    "quarantined": lambda machine, asked: _control.quarantined(machine),
}
NEEDED = {"status": ("id",), "recorded": ("id",), "clean": ("keep_days",)}


# The others change the host.
READING = ("look", "status", "unfinished", "quarantined")


def answer(request):
    """Answer a request: what its operation returns, or {"error": stable word, "text": one sentence}."""
    return _answer.answer(request, OPERATIONS, NEEDED, "Antivirus work")
