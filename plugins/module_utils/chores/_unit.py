# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: start a chore's work so that it outlives the session, and see whether it lives.

Under systemd it is a unit of its own with limits; elsewhere a process without a parent, bounded by itself alone.
Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import os
import signal
import sys

from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _system
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError

_PYTHONS = ("/usr/bin/python3", "/usr/libexec/platform-python")
# The program ends its own work in time and says so; this is for a program that cannot.
_SLACK_S = 120
# Optional limits: name in the request -> property of the unit and how it is written (systemd.resource-control(5)); then
# where the kernel keeps it for cgroup v2 and for v1 (controller, file), and how a file begins in which none is kept.
_RESOURCES = (
    ("cpu_percent", "CPUQuota", "%d%%", "cpu.max", "max", ("cpu", "cpu.cfs_quota_us"), "-1"),
    ("memory_bytes", "MemoryMax", "%d", "memory.max", "max", ("memory", "memory.limit_in_bytes"), "92233720368547"),
    ("read_limit", "IOReadBandwidthMax", "%s", "io.max", None, ("blkio", "blkio.throttle.read_bps_device"), None),
)
_CGROUPS = "/sys/fs/cgroup"


def name(chore, identifier):
    """Name of the unit of a piece of work."""
    return "keepwell-%s-%s.service" % (chore.replace("_", "-"), identifier)


def start(machine, chore, identifier, folder, limits):
    """Start the program in ``folder``. Raises AgentError when that fails.

    ``limits``: runtime_s and nice, and where wanted lock_timeout_s (added to the runtime), ``idle`` (disk only when
    nobody else wants it), ``whole`` (ending the unit ends every process in it, not the program alone), cpu_percent,
    memory_bytes, read_limit ("PATH BYTES-PER-SECOND").
    """
    program = os.path.join(folder, "program.py")
    python = next((path for path in _PYTHONS if os.access(path, os.X_OK)), sys.executable)
    if not _system.has_systemd(machine):
        _detached([python, "-I", program], limits["nice"])
        return
    argv = ["systemd-run", "--quiet", "--unit=" + name(chore, identifier)]
    argv.append("--description=Keepwell: " + chore.replace("_", " "))
    argv += ["--property=" + entry for entry in _properties(limits)]
    output = machine.run(argv + [python, "-I", program], timeout=20.0)
    if not output.ok:
        text = output.err.strip() or output.status
        raise AgentError("not_started", "systemd did not start the work: %s" % " ".join(text.split())[:200])


def _properties(limits):
    seconds = limits["runtime_s"] + limits.get("lock_timeout_s", 0) + _SLACK_S
    return [
        # Stopping the unit ends the program, never a package manager in the middle of its work.
        "KillMode=%s" % ("control-group" if limits.get("whole") else "process"),
        "RuntimeMaxSec=%d" % seconds,
        "Nice=%d" % limits["nice"],
        "IOSchedulingClass=%s" % ("idle" if limits.get("idle") else "best-effort"),
        "IOSchedulingPriority=7",
    ] + ["%s=%s" % (key, form % limits[limit]) for limit, key, form in _wanted(limits)]


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


def state(machine, chore, identifier):
    """{"active_state", "result"} of the unit; None without systemd."""
    if not _system.has_systemd(machine):
        return None
    shown = _show(machine, chore, identifier, ("ActiveState", "Result"))
    return {"active_state": shown.get("ActiveState", ""), "result": shown.get("Result", "")}


def forget(machine, chore, identifier):
    """Let systemd forget a unit that failed, once its end is written down."""
    if _system.has_systemd(machine):
        machine.run(["systemctl", "reset-failed", name(chore, identifier)], timeout=5.0, accepted=None)


def bounded(machine, chore, identifier, limits):
    """By what the work is limited, read back from systemd and the kernel; or that it is not. For the work itself."""
    if not _system.has_systemd(machine):
        return "not bounded: this host has no systemd; only the program's own time limit holds"
    shown = _show(machine, chore, identifier, ("RuntimeMaxUSec", "Nice"))
    if shown.get("RuntimeMaxUSec", "infinity") == "infinity":
        return "not bounded: systemd does not confirm the limits of %s" % name(chore, identifier)
    words = ["at most %s" % shown["RuntimeMaxUSec"], "nice %s" % shown.get("Nice", "?")]
    groups = machine.read("/proc/self/cgroup") or ""
    lost = []
    for limit, key, form in _wanted(limits):
        if holds(machine, groups, limit):
            words.append("%s %s" % (key, form % limits[limit]))
        else:
            lost.append(key)
    return "by systemd: %s%s" % (
        ", ".join(words),
        "; not bounded: the kernel has no %s" % ", ".join(lost) if lost else "",
    )


def _wanted(limits):
    return [entry[:3] for entry in _RESOURCES if limits.get(entry[0])]


def starved(machine):
    """True when the kernel ended a program of this control group because of its memory. For the work itself."""
    for line in (machine.read("/proc/self/cgroup") or "").splitlines():
        number, controllers, path = line.split(":", 2)
        found = []
        if number == "0":
            found = ["%s%s/memory.events" % (_CGROUPS, path), "%s/unified%s/memory.events" % (_CGROUPS, path)]
        elif "memory" in controllers.split(","):
            found = ["%s/%s%s/memory.oom_control" % (_CGROUPS, controllers, path)]
        for name in found:
            pairs = [entry.split() for entry in (machine.read(name) or "").splitlines()]
            if any(pair[0] == "oom_kill" and pair[1] != "0" for pair in pairs if len(pair) == 2):
                return True
    return False


def holds(machine, groups, limit):
    """True when the kernel keeps a limit for the control groups of a process (text of its /proc/PID/cgroup)."""
    _limit, _key, _form, file_v2, none_v2, (controller, file_v1), none_v1 = next(
        entry for entry in _RESOURCES if entry[0] == limit
    )
    for line in groups.splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0":
            found = machine.read("%s%s/%s" % (_CGROUPS, path, file_v2))
            found = found or machine.read("%s/unified%s/%s" % (_CGROUPS, path, file_v2))
            none = none_v2
        elif controller in controllers.split(","):
            found, none = machine.read("%s/%s%s/%s" % (_CGROUPS, controllers, path, file_v1)), none_v1
        else:
            continue
        if (found or "").strip() and not (none and found.startswith(none)):
            return True
    return False


def _show(machine, chore, identifier, properties):
    argv = ["systemctl", "show", "--property=" + ",".join(properties), name(chore, identifier)]
    output = machine.run(argv, timeout=5.0, source="systemctl show")
    pairs = [line.partition("=") for line in output.lines()]
    return dict((key, value) for key, _equals, value in pairs)
