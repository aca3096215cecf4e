# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: start a transaction so that it outlives the session, and see whether it lives.

Under systemd it is a unit of its own with limits; elsewhere a process without a parent, bounded by itself alone.
Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import os
import signal
import sys

from ansible_collections.keepwell.fleet.plugins.module_utils.patching import _boot
from ansible_collections.keepwell.fleet.plugins.module_utils.patching._errors import AgentError

_PREFIX = "keepwell-patching-"
_PYTHONS = ("/usr/bin/python3", "/usr/libexec/platform-python")
# The program ends its own work in time and says so; this is for a program that cannot.
_SLACK_S = 120
_SHOWN = ("RuntimeMaxUSec", "Nice")


def name(identifier):
    """Name of the unit of a transaction."""
    return "%s%s.service" % (_PREFIX, identifier)


def start(machine, identifier, folder, limits):
    """Start the program in ``folder``. Raises AgentError when that fails."""
    program = os.path.join(folder, "program.py")
    python = next((path for path in _PYTHONS if os.access(path, os.X_OK)), sys.executable)
    if not _boot.has_systemd(machine):
        _detached([python, "-I", program], limits["nice"])
        return
    argv = [
        "systemd-run",
        "--quiet",
        "--unit=" + name(identifier),
        "--description=Keepwell: patching",
        # Stopping the unit ends the program, never the package manager in the middle of its work.
        "--property=KillMode=process",
        "--property=RuntimeMaxSec=%d" % (limits["runtime_s"] + limits["lock_timeout_s"] + _SLACK_S),
        "--property=Nice=%d" % limits["nice"],
        "--property=IOSchedulingClass=best-effort",
        "--property=IOSchedulingPriority=7",
        python,
        "-I",
        program,
    ]
    output = machine.run(argv, timeout=20.0)
    if not output.ok:
        text = output.err.strip() or output.status
        raise AgentError("not_started", "systemd did not start the transaction: %s" % " ".join(text.split())[:200])


def _detached(argv, nice):
    """Start a process that belongs to nobody: the session may go, it stays."""
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return
    status = 1
    try:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            os.nice(nice)
            nothing = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(nothing, descriptor)
            os.execv(argv[0], argv)  # noqa: S606 - no shell on purpose
        status = 0
    finally:
        os._exit(status)


def state(machine, identifier):
    """{"active_state", "result"} of the unit; None without systemd."""
    if not _boot.has_systemd(machine):
        return None
    shown = _show(machine, identifier, ("ActiveState", "Result"))
    return {"active_state": shown.get("ActiveState", ""), "result": shown.get("Result", "")}


def forget(machine, identifier):
    """Let systemd forget a unit that failed, once its end is written down."""
    if _boot.has_systemd(machine):
        machine.run(["systemctl", "reset-failed", name(identifier)], timeout=5.0, accepted=None)


def bounded(machine, identifier):
    """By what the work is limited, read back; or that it is not."""
    if not _boot.has_systemd(machine):
        return "not bounded: this host has no systemd; only the program's own time limit holds"
    shown = _show(machine, identifier, _SHOWN)
    if shown.get("RuntimeMaxUSec", "infinity") == "infinity":
        return "not bounded: systemd does not confirm the limits of %s" % name(identifier)
    words = ["at most %s" % shown["RuntimeMaxUSec"], "nice %s" % shown.get("Nice", "?")]
    return "by systemd: %s" % ", ".join(words)


def _show(machine, identifier, properties):
    argv = ["systemctl", "show", "--property=" + ",".join(properties), name(identifier)]
    output = machine.run(argv, timeout=5.0, source="systemctl show")
    pairs = [line.partition("=") for line in output.lines()]
    return dict((key, value) for key, _equals, value in pairs)
