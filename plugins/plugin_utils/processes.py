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
from pathlib import Path

from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import epoch
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import RunHeader

# A run on another control node that shares the state directory cannot be looked at; after this it counts as dead.
_FOREIGN_RUN_LIMIT_S = 86400.0


def this_process() -> dict[str, t.Any]:
    """Return what identifies the controller process whose worker this is (its parent under Ansible)."""
    pid = os.getppid()
    return {"pid": pid, "started": _start_ticks(pid), "boot_id": _boot_id(), "controller": socket.gethostname()}


def _start_ticks(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return int(stat.rsplit(")", 1)[1].split()[19])


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def is_alive(header: RunHeader, now: float) -> bool:
    """True when the controller process of a run still exists (or cannot be looked at and is young)."""
    process = header.process
    if process.get("controller") != socket.gethostname():
        return now - epoch(header.started_at) < _FOREIGN_RUN_LIMIT_S
    if process.get("boot_id") != _boot_id():
        return False
    started = _start_ticks(int(process.get("pid", 0)))
    return started is not None and started == process.get("started")
