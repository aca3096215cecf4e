# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: who is working on the packages right now?

A lock file that exists is no lock: dpkg, apt and rpm leave theirs behind for ever. Only a held lock, or the living
process that a pid file names, counts.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _dpkg

_RPM_LOCKS = ("/var/lib/rpm/.rpm.lock", "/usr/lib/sysimage/rpm/.rpm.lock")
_PID_FILES = {
    "dnf4": ("/var/lib/dnf/rpmdb_lock.pid", "/var/cache/dnf/metadata_lock.pid", "/var/cache/dnf/download_lock.pid"),
    "dnf5": (),
    "yum": ("/var/run/yum.pid",),
    "zypper": ("/run/zypp.pid",),
    "apt": (),
}
# All that is looked at here; the packages probe reads much else below /var and /run.
FILES = _dpkg.LOCKS + _RPM_LOCKS + tuple(path for manager in sorted(_PID_FILES) for path in _PID_FILES[manager])


def _holder(machine, pid):
    """What the process is called and since when it runs: {"program", "started_at"}."""
    program = (machine.read("/proc/%d/comm" % pid) or "").strip() or None
    info = machine.stat("/proc/%d" % pid)
    return {"program": program, "started_at": info["mtime"] if info else None}


def collect(machine, manager):
    """Return [{"path", "pid", "program", "started_at"}] of held locks; None when not one lock could be asked."""
    locks = _dpkg.LOCKS if manager == "apt" else _RPM_LOCKS
    held = []
    answers = 0
    for path in locks:
        state = machine.lock_holder(path)
        if state["state"] not in ("denied", "error"):
            answers += 1
        if state["state"] == "held":
            entry = {"path": path, "pid": state["pid"], "program": None, "started_at": None}
            if state["pid"]:
                entry.update(_holder(machine, state["pid"]))
            held.append(entry)
    for path in _PID_FILES.get(manager, ()):
        text = machine.read(path)
        answers += 1
        if text and text.strip().isdigit() and machine.exists("/proc/" + text.strip()):
            entry = {"path": path, "pid": int(text.strip())}
            entry.update(_holder(machine, entry["pid"]))
            held.append(entry)
    if machine.readlink("/system-update"):
        held.append(
            {"path": "/system-update", "pid": None, "program": "offline update at next boot", "started_at": None}
        )
    return held if answers else None
