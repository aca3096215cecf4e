# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what an earlier crash left: found by manifest, ended and removed; nothing else is.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import contextlib
import os
import signal
import time

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _drivers, _memory, _sandbox
from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _folder, _jobs

CHORE = "backup_verification"
# The list of a snapshot's files, while a full restore lasts.
SPOOL = "files"
_GRACE_S = 10.0


def sweep(machine, base=None):
    """Clear away what work that is no more has left.

    Returns {"removed": [{"id", "path"}], "left": [{"id", "path", "why"}], "foreign": [paths in our folder that no
    work of ours made; they stay]}.
    """
    answer = {"removed": [], "left": [], "foreign": []}
    known = {}
    _memory.sweep(machine)
    for identifier in _folder.identifiers(CHORE):
        folder = _folder.path(CHORE, identifier)
        state = _folder.load(folder, "state.json")
        record = _folder.load(folder, _sandbox.MANIFEST)
        if record is not None:
            known.setdefault(os.path.dirname(record["path"]), set()).add(os.path.basename(record["path"]))
        if state is not None and state["phase"] != "ended" and _jobs.lives(machine, CHORE, state):
            continue
        _memory.drop_secrets(machine, identifier)
        found = clear(machine, folder)
        if found is not None and found["left"]:
            answer["left"].append({"id": identifier, "path": found["path"], "why": found["left"]})
        elif found is not None:
            answer["removed"].append({"id": identifier, "path": found["path"]})
    for place in (base or _sandbox.BASE, _sandbox.BASE):
        known.setdefault(os.path.realpath(place), set())
    for place, names in sorted(known.items()):
        answer["foreign"] += [os.path.join(place, name) for name in _entries(place) if name not in names]
    return answer


def _entries(place):
    try:
        return sorted(os.listdir(place))
    except OSError:
        return []


def clear(machine, folder):
    """End and remove what the work in ``folder`` made; see _sandbox.remove."""
    # Names of everything that the snapshot holds (see Verification._restore).
    with contextlib.suppress(OSError):
        os.unlink(os.path.join(folder, SPOOL))
    return _sandbox.remove(machine, folder, _drivers.end_servers)


def end_orphan(state):
    """End the command of a program that is no more: it only reads, and nobody waits for it."""
    command = state.get("command")
    if not command or not state.get("process") or _folder.is_alive(state["process"]):
        return
    end_command(command)


def ask_to_end(command):
    """Send SIGTERM to a command of ours and its children, if there is one."""
    if command and _folder.is_alive(command):
        with contextlib.suppress(OSError):
            os.killpg(command["pid"], signal.SIGTERM)


def end_command(command):
    """End a command of ours with its children."""
    end = time.monotonic() + _GRACE_S
    number = signal.SIGTERM
    while _folder.is_alive(command):
        try:
            os.killpg(command["pid"], number)
        except OSError:
            return
        if time.monotonic() > end:
            number = signal.SIGKILL
        time.sleep(0.1)
