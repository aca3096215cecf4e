# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: who or what started this ansible-playbook. Runs on the control node."""

from __future__ import annotations

import getpass
import os
import socket
import typing as t
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Trigger

# AWX hands over who pressed the button; the user of its container is the same for everybody.
_AWX_USERS: t.Final = ("awx_user_name", "tower_user_name")


def here(variables: Mapping[str, t.Any], own: Mapping[str, t.Any] | None = None) -> Trigger:
    """Return what started the process whose worker this is; ``variables`` are those of the task.

    ``own`` are Keepwell's among them, with templates resolved: who answers for it, why, and in which window.
    """
    environment = os.environ
    origin: t.Literal["terminal", "timer", "awx", "unattended"] = "unattended"
    reference = user = ""
    if environment.get("AWX_HOST") or environment.get("TOWER_HOST"):
        origin, reference = "awx", environment.get("JOB_ID", "")
        user = next((str(variables[name]) for name in _AWX_USERS if variables.get(name)), "")
    elif _has_terminal(os.getppid()):
        origin = "terminal"
    elif environment.get("INVOCATION_ID") and environment.get("JOURNAL_STREAM"):
        origin, reference = "timer", environment["INVOCATION_ID"]
    said = {key: str((own or {}).get(f"keepwell_{key}") or "").strip() for key in ("approver", "reason", "window")}
    return Trigger(user=user or _user(), controller=socket.gethostname(), origin=origin, reference=reference, **said)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _has_terminal(pid: int) -> bool:
    """True when a process has a controlling terminal (field 7 of /proc/PID/stat, proc(5))."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return stat.rsplit(")", 1)[1].split()[4] != "0"
