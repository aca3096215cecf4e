# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the work on a host: clean up by the rules, or make a filesystem larger.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import contextlib

from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _folder
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._work import Work
from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup import _control, _grow, _sweep
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine


def run(folder):
    """Carry out the request in ``folder``; its end is in state.json."""
    request = _folder.load(folder, "request.json")
    Cleaning(folder, request, Machine()).run()


class Cleaning(Work):
    """One cleanup, or one growth."""

    CHORE = _control.CHORE
    TOUCHING = ("cleaning", "growing")

    def work(self):
        """Do what the request asks for."""
        if self.request["kind"] == "grow":
            self._grow()
        else:
            self._clean()

    def _clean(self):
        self.save(phase="cleaning")
        done = _sweep.sweep(
            self.machine, self.request, True, self.machine.now(), self.commands, lambda rules: self._note(rules=rules)
        )
        self._note(filesystems=done["filesystems"], rules=done["rules"])
        gone = sum(rule["files"] for rule in done["rules"])
        broken = [rule for rule in done["rules"] if rule["stopped"] in ("read_only", "disk_error", "command_failed")]
        if broken:
            text = "%s ended early (%s)%s." % (
                broken[0]["id"],
                broken[0]["stopped"].replace("_", " "),
                ": " + broken[0]["notes"][-1] if broken[0]["stopped"] == "command_failed" else "",
            )
            self.close("failed", broken[0]["stopped"], text)
            return
        self.close("done", "", "%d files went." % gone)

    def _note(self, **fields):
        """Tell how far it is; on a disk that is full to the last byte the work goes on without."""
        with contextlib.suppress(OSError):
            self.save(**fields)

    def _grow(self):
        self.save(phase="growing")
        steps = []
        failed = None
        for wanted in self.request["mounts"]:
            for disk in _grow.disks(self.machine, wanted["mount"]):
                _grow.rescan(disk)
            plan = _grow.plan(self.machine, wanted)
            if plan["refused"]:
                raise AgentError(plan["refused"]["code"], plan["refused"]["text"])
            step = _grow.carry_out(self.commands, plan)
            steps.append(step)
            self.save(steps=steps)
            if not step["grown_bytes"]:
                failed = step
                break
        if failed:
            self.close("failed", "grow_failed", failed["text"])
            return
        self.close("done", "", "; ".join(step["text"] for step in steps))
