# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: who or what started this run, and for which entry of the schedule.

Runs on the control node.
"""

from __future__ import annotations

import getpass
import os
import socket
import typing as t
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath

from ansible import context

from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Trigger

# Set by what starts scheduled runs; where only variables can be handed on, the extra variable keepwell_entry says it.
ENTRY_VARIABLE = "KEEPWELL_ENTRY"


def trigger() -> Trigger:
    """Return who started this run, and what with."""
    environment = os.environ
    origin: t.Literal["terminal", "timer", "awx", "unattended"] = "unattended"
    reference = ""
    if environment.get("AWX_HOST") or environment.get("TOWER_HOST"):
        origin, reference = "awx", environment.get("JOB_ID", "")
    elif _has_terminal(os.getppid()):
        origin = "terminal"
    elif environment.get("INVOCATION_ID") and environment.get("JOURNAL_STREAM"):
        origin, reference = "timer", environment["INVOCATION_ID"]
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return Trigger(user=user, controller=socket.gethostname(), origin=origin, reference=reference)


def _has_terminal(pid: int) -> bool:
    """True when a process has a controlling terminal (field 7 of /proc/PID/stat, proc(5))."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return stat.rsplit(")", 1)[1].split()[4] != "0"


def entry(variables: Mapping[str, t.Any], schedule: t.Collection[str]) -> str:
    """Return the entry of the schedule that this run is for; "" for none, and for one that the client does not have."""
    named = str(variables.get("keepwell_entry") or os.environ.get(ENTRY_VARIABLE) or "")
    return named if named in schedule else ""


def playbook(arguments: Sequence[str] | None = None) -> str:
    """Return the name of the playbook that was started, without folder and ending: ``assess``.

    Of several in one command the names are joined, which is the name of none of them.
    """
    given = context.CLIARGS.get("args", ()) if arguments is None else arguments
    return "+".join(PurePath(str(name)).name.removesuffix(".yml").rpartition(".")[2] for name in given)
