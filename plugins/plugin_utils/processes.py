# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: which process a run belongs to, and whether that process is still there.

Runs on the control node.
"""

from __future__ import annotations

import os
import socket
import typing as t
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import epoch
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import RunHeader

# A run on another control node that shares the state directory cannot be looked at; after this it counts as dead.
_FOREIGN_RUN_LIMIT_S = 86400.0
# The namespace of the processes of a machine that is no container (PROC_PID_INIT_INO of the kernel).
_WHOLE_MACHINE = "pid:[4026531836]"


def this_process() -> dict[str, t.Any]:
    """Return what identifies the controller process whose worker this is (its parent under Ansible)."""
    pid = os.getppid()
    return {"pid": pid, "started": _start_ticks(pid), **_here()}


def _here() -> dict[str, t.Any]:
    """What has to be the same for a process to be seen from here. The last two are "" where nobody can say."""
    return {
        "controller": socket.gethostname(),
        "boot_id": _word("/proc/sys/kernel/random/boot_id"),
        "machine": _word("/etc/machine-id"),
        "namespace": _link("/proc/self/ns/pid"),
    }


def _word(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _start_ticks(pid: int) -> int | None:
    """When a process began, in ticks since boot; None when there is none, or only its remains."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rsplit(")", 1)[1].split()
    return None if fields[0] in ("Z", "X") else int(fields[19])


def look(process: Mapping[str, t.Any]) -> bool | None:
    """Return whether a process (see ``this_process``) lives; None when it cannot be looked at from here.

    That is one of another machine, or of a container with processes of its own on this machine. Another boot of this
    machine has ended it; but what calls itself the same may be another machine where there is no identifier, or where
    that belongs to the image of a container.
    """
    here = _here()
    if process.get("controller") != here["controller"] or _differs(process.get("machine"), here["machine"]):
        return None
    if process.get("boot_id") != here["boot_id"]:
        return False if here["machine"] and here["namespace"] == _WHOLE_MACHINE else None
    if _differs(process.get("namespace"), here["namespace"]):
        return None
    started = _start_ticks(int(process.get("pid", 0)))
    return started is not None and started == process.get("started")


def _differs(one: str | None, other: str) -> bool:
    """True when both are known and not the same."""
    return bool(one and other and one != other)


def is_alive(header: RunHeader, now: float) -> bool:
    """True when the controller process of a run still exists (or cannot be looked at and is young)."""
    seen = look(header.process)
    return now - epoch(header.started_at) < _FOREIGN_RUN_LIMIT_S if seen is None else seen
