# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: which boot of the host this is, and how to get another one.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import os

from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _jobs, _system
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError
from ansible_collections.keepwell.fleet.plugins.module_utils.patching import _locks


def boot(machine):
    """{"boot_id", "pid1_started", "kernel", "uptime_s", "booted": everything has been started}."""
    answer = _system.identity(machine)
    uptime = (machine.read("/proc/uptime") or "0").split()[0]
    booted = True
    if _system.has_systemd(machine):
        output = machine.run(["systemctl", "is-system-running"], timeout=5.0, accepted=None)
        booted = output.out.strip() in ("running", "degraded")
    answer.update({"kernel": os.uname().release, "uptime_s": float(uptime), "booted": booted})
    return answer


def reboot(machine, manager, reason, delay_s):
    """Ask for a reboot in a moment, so that this answer still arrives: {"asked", "boot"}."""
    before = boot(machine)
    busy = _jobs.busy(machine) or "; ".join(
        "%s (%s)" % (entry["process"] or "a process", entry["pid"] or "?") for entry in _locks.held(machine, manager)
    )
    if busy:
        raise AgentError("locked", "No reboot now, the packages are being worked on: %s." % busy)
    if _system.has_systemd(machine):
        timer = ["systemd-run", "--collect", "--on-active=%d" % max(1, int(delay_s)), "--timer-property=AccuracySec=1s"]
        argv = timer + ["systemctl", "reboot", "--message=Keepwell: %s" % reason[:200]]
    else:
        argv = ["shutdown", "-r", "+1", "Keepwell: %s" % reason[:200]]
    output = machine.run(argv, timeout=10.0)
    if not output.ok:
        raise AgentError("no_reboot", "The reboot could not be asked for: %s" % (output.err.strip() or output.status))
    return {"asked": True, "boot": before}
