# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: start the services of an antivirus product that are meant to run and do not.

What somebody disabled or masked stays as it is, and what falls over again and again is left to a person. What the
host says beforehand is kept: starting a service hides why it was down.
Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import time

from ansible_collections.keepwell.fleet.plugins.module_utils.antivirus import _ledger
from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _clamav, _vendor_engines
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._systemd import parse_blocks

_PROPERTIES = "Id,LoadState,ActiveState,SubState,UnitFileState,ConditionResult,Type,Names"
_ENABLED = ("enabled", "enabled-runtime")
_PAUSE_S = 5.0
_SETTLE_S = 2.0
_START_S = 60.0


def stopped(machine):
    """Units of known products that do not run: unit -> why it is left alone, or "" for one to be started."""
    found = {}
    for block in _shown(machine, list(_clamav.UNITS + _vendor_engines.UNITS)):
        name = block.get("Id", "")
        if block.get("LoadState") == "not-found" or block.get("ActiveState") in ("active", "activating", "reloading"):
            continue
        if not name.endswith(".service"):
            continue
        state = block.get("UnitFileState") or ""
        if block.get("LoadState") == "masked" or state.startswith("masked"):
            found[name] = "it is masked: somebody wants it never to run"
        elif state not in _ENABLED:
            found[name] = "it is not enabled (%s): nobody wants it to run by itself" % (state or "no state")
        else:
            found[name] = ""
    return found


def _shown(machine, names):
    if not names or not machine.exists("/run/systemd/system"):
        return []
    shown = machine.run(["systemctl", "show", "-p", _PROPERTIES] + names, timeout=15.0, source="units")
    return list(parse_blocks(shown.out)) if shown.ok else []


def repair(machine, commands, ledger, settings):
    """Start what is to be started: {unit: {result, text, evidence}}; result is started, failed, left or limit."""
    answers = {}
    for unit, against in sorted(stopped(machine).items()):
        if against:
            answers[unit] = {"result": "left", "text": against, "evidence": ""}
            continue
        count = _ledger.repairs_of_a_day(ledger, unit, machine.now())
        if count >= settings["per_day"]:
            text = "it was started %d times within a day and is down again: find out why" % count
            answers[unit] = {"result": "limit", "text": text, "evidence": _evidence(machine, unit)}
            continue
        answers[unit] = _start(machine, commands, unit, settings["attempts"])
        _ledger.repaired(ledger, unit, machine.now(), answers[unit]["result"])
    return answers


def _evidence(machine, unit):
    """What the host says of a unit before it is touched."""
    words = []
    for argv in (
        ["systemctl", "status", "--no-pager", "--full", "--lines=0", unit],
        ["journalctl", "--no-pager", "--quiet", "--lines=20", "--unit=" + unit],
        ["df", "-h", _clamav.DATABASE_FOLDER],
    ):
        shown = machine.run(argv, timeout=10.0, accepted=None)
        words.append("$ %s\n%s" % (" ".join(argv), shown.out or shown.err))
    return "\n".join(words)[-4000:]


def _start(machine, commands, unit, attempts):
    evidence = _evidence(machine, unit)
    words = ""
    for attempt in range(attempts):
        if attempt:
            time.sleep(_PAUSE_S)
        commands.run(["systemctl", "reset-failed", unit], timeout=_START_S)
        output = commands.run(["systemctl", "start", unit], timeout=_START_S)
        time.sleep(_SETTLE_S)
        block = next(iter(_shown(machine, [unit])), {})
        if block.get("ActiveState") == "active":
            text = "started" if not attempt else "started at attempt %d" % (attempt + 1)
            return {"result": "started", "text": text, "evidence": evidence}
        if block.get("ConditionResult") == "no":
            # systemd calls that a success and says nothing. Trying again changes nothing.
            text = "systemd passes it by in silence because a condition of the unit is not met"
            if unit.startswith("clamav-daemon"):
                text += ": there is no signature database yet, so update the definitions first"
            return {"result": "failed", "text": text, "evidence": evidence}
        words = " ".join((output.err or output.out).split())[:200] or "it is %s" % block.get("ActiveState")
    text = "it does not stay up after %d attempts: %s" % (attempts, words)
    return {"result": "failed", "text": text, "evidence": evidence}
