# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the work on a host: look again, fetch, install exactly what was announced, tell.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import os

from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _folder
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._work import Work
from ansible_collections.keepwell.fleet.plugins.module_utils.patching import (
    _backends,
    _control,
    _locks,
    _outcome,
    _rpm_moves,
    _space,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine


def run(folder):
    """Carry out the request in ``folder``; its end is in state.json."""
    request = _folder.load(folder, "request.json")
    Transaction(folder, request, Machine()).run()


def differences(approved, now):
    """In words how two transactions differ; empty when they do not."""
    before = dict(((move["name"], move["arch"], move["action"] in ("remove", "retire")), move) for move in approved)
    after = dict(((move["name"], move["arch"], move["action"] in ("remove", "retire")), move) for move in now)
    lines = []
    for key in sorted(set(before) | set(after)):
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if old is None:
            lines.append("%s %s %s came in addition" % (new["action"], new["name"], new["after"] or new["before"]))
        elif new is None:
            lines.append("%s %s %s is gone" % (old["action"], old["name"], old["after"] or old["before"]))
        else:
            lines.append(
                "%s would go from %s to %s instead of from %s to %s"
                % (old["name"], new["before"], new["after"], old["before"], old["after"])
            )
    if not lines and len(approved) != len(now):
        lines.append("%d steps instead of %d" % (len(now), len(approved)))
    return "; ".join(lines[:5]) + ("; and %d more" % (len(lines) - 5) if len(lines) > 5 else "")


class Transaction(Work):
    """One transaction, from the wait for its turn to its end."""

    CHORE = _control.CHORE
    TOUCHING = ("applying", "collecting")
    ENVIRONMENT = _backends.ENVIRONMENT

    def __init__(self, folder, request, machine):
        super(Transaction, self).__init__(folder, request, machine)
        self.manager, self.backend = _backends.find(machine, request["manager"])
        self.lock_timeout_s = request["limits"]["lock_timeout_s"]

    def work(self):
        """Install what was announced, or take back what was installed."""
        self._ready()
        if self.request["kind"] == "rollback":
            moves = self.request["moves"]
            self.save(phase="applying", **self._before(moves))
            self.commands.patient = True
            back = self.backend.undo(self.commands, moves, self.request["kept"])
            self._collect(moves, back["rc"], back["text"], back["stays"])
            return
        moves = self._checked()
        self.save(phase="keeping")
        kept_folder = os.path.join(self.folder, "kept")
        if not os.path.isdir(kept_folder):
            os.mkdir(kept_folder, 0o700)
        old = self.backend.keep_old(self.commands, moves, kept_folder)
        self.save(phase="downloading", kept=old["kept"], not_kept=old["missing"])
        fetched = self.backend.download(self.commands, self.request["items"])
        if fetched.rc != 0:
            reason = _outcome.reason(self.manager, fetched)
            raise AgentError("download_failed", "The packages could not be fetched, nothing was changed: %s." % reason)
        self.save(phase="applying", **self._before(moves))
        self.commands.patient = True
        done = self.backend.apply(self.commands, self.request["items"])
        text = "" if done.rc == 0 else _outcome.reason(self.manager, done)
        self._collect(moves, done.rc, text, {})

    def _ready(self):
        """Wait for the package manager's locks, then its state must be clean."""
        blocked = _locks.wait(self.machine, self.manager, self.lock_timeout_s)
        if blocked:
            raise AgentError("locked", blocked)
        self.save(phase="checking")
        state = self.backend.state(self.machine)
        # A way back out of a broken state may be what is wanted.
        if not state["clean"] and self.request["kind"] == "apply":
            text = "; ".join(state["problems"][:5])
            raise AgentError("broken_state", "The package manager has to be put in order first: %s." % text)

    def _checked(self):
        """The moves, when they are the approved ones, remove nothing and have room."""
        simulation = self.backend.simulate(self.machine, self.request["items"])
        if simulation["errors"]:
            text = "; ".join(simulation["errors"][:5])
            raise AgentError("plan_changed", "The plan can no longer be carried out: %s." % text)
        moves = simulation["moves"]
        removed = [move["name"] for move in moves if move["action"] == "remove"]
        if removed:
            raise AgentError("removal", "The update would remove %s; nothing is removed." % ", ".join(removed[:10]))
        changed = differences(self.request["moves"], moves)
        if changed:
            raise AgentError("plan_changed", "The host would now do something else than was approved: %s." % changed)
        cache = _backends.cache(self.manager)
        reserve = self.request.get("reserve_bytes") or 0
        full = _space.lacking(self.machine, cache, reserve, simulation["download_bytes"], moves)
        if full:
            raise AgentError("disk_full", "There is no room for the update: %s." % "; ".join(full))
        return moves

    def _before(self, moves):
        """What is installed now, kept aside for whoever has to find out later; and the marks of this moment."""
        versions = self.backend.versions(self.machine)
        if versions is None:
            raise AgentError("broken_state", "The list of installed packages cannot be read.")
        _folder.dump(self.folder, "before.json", versions)
        _folder.dump(self.folder, "aside.json", self.backend.config_files(self.machine, ""))
        return {"history_id": self.backend.marker(self.machine), "planned": moves}

    def _collect(self, moves, rc, text, stays):
        """Find out what was done, and whether that is what was wanted."""
        self.save(phase="collecting")
        found = _outcome.collect(self.machine, self.backend, self.folder, moves, self.commands.said)
        if self.request["kind"] == "rollback":
            found["not_kept"] = stays
            wanted = dict((_rpm_moves.key(move), move["before"]) for move in moves if _rpm_moves.key(move) not in stays)
        else:
            wanted = dict((_rpm_moves.key(move), move["after"]) for move in moves if move["after"])
        outcome, code, words = _outcome.judge(wanted, found, rc, text, stays, self.request["kind"])
        self.save(**found)
        self.close(outcome, code, words)
