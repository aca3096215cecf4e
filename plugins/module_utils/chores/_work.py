# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what the programs that do a chore's work on a host have in common.

Such a program is started by _unit and nobody waits for it: all it has to say goes into state.json. Whatever happens,
it never leaves a phase without saying so: a program that is killed leaves the phase it was in, and whoever asks next
finds out what became of it.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import contextlib
import os
import time

from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _commands, _folder, _unit
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError


class Work(object):
    """One piece of work, from its start to its end. Subclasses have CHORE and ``work``, which calls ``close``."""

    CHORE = ""
    # Phases in which the host may have been changed already.
    TOUCHING = ()
    ENVIRONMENT = None

    def __init__(self, folder, request, machine):
        self.folder = folder
        self.request = request
        self.machine = machine
        self.state = _folder.load(folder, "state.json")
        limits = request["limits"]
        self.end = time.monotonic() + limits["runtime_s"] + limits.get("lock_timeout_s", 0)
        self.commands = _commands.Commands(machine, folder, self.end, self._tell, self.ENVIRONMENT)

    def work(self):
        """Do the work; may raise AgentError for what is refused."""
        raise NotImplementedError

    def interrupted(self):
        """Called when the work ends with an error of its own, so that nothing is left behind."""

    def save(self, **fields):
        """Write down how far it is."""
        self.state.update(fields)
        _folder.dump(self.folder, "state.json", self.state)

    def close(self, outcome, code, text, **fields):
        """Write down the end."""
        fields.update(phase="ended", outcome=outcome, code=code, text=text, ended_at=_folder.now(), command=None)
        self.save(**fields)

    def run(self):
        """Do everything; never raises for what a host can do."""
        pid = os.getpid()
        identifier = self.state["id"]
        self.save(
            process={"pid": pid, "started": _folder.started(pid)},
            bounded=_unit.bounded(self.machine, self.CHORE, identifier, self.request["limits"]),
        )
        lock = _folder.Lock()
        try:
            other = lock.take("%s %s" % (self.CHORE.replace("_", " "), identifier))
            if other:
                raise AgentError("host_locked", "Keepwell is at work on this host already: %s." % other)
            self.work()
        except AgentError as exc:
            self._give_up("refused", exc.code, exc.text)
        except Exception as exc:
            text = "The program on the host failed: %s: %s." % (type(exc).__name__, exc)
            touched = self.state["phase"] in self.TOUCHING
            self._give_up("failed" if touched else "refused", "internal", text)
        finally:
            lock.release()

    def _give_up(self, outcome, code, text):
        with contextlib.suppress(OSError):
            self.interrupted()
        self.close(outcome, code, text)

    def _tell(self, pid):
        """Note which command is at work; on a full disk the work goes on without."""
        with contextlib.suppress(OSError):
            self.save(command=pid and {"pid": pid, "started": _folder.started(pid)})
