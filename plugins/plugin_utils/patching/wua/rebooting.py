# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: reboot a Windows host by ansible.windows.win_reboot. Runs on the control node."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import Reboot
from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_action import HostError, one_line
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import baseline
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.work import Job, PatchAction

_MODULE: t.Final = "ansible.windows.win_reboot"
# A reboot that leaves the same reason behind twice is a loop, and not tried a third time.
_PATIENCE = 2


def go_down(action: PatchAction, job: Job, reboot: Reboot, reasons: Sequence[str]) -> None:
    """Reboot and wait until the host can be used again or its time is over; who calls looks what came of it.

    Raises HostError when the host refuses to go down.
    """
    now = action.ask({"operation": "boot"}, job.task_vars)
    if baseline.identity(now) != reboot.boot_before:
        # One that nobody heard the answer to has happened.
        return
    told = one_line(f"Keepwell: patching: {'; '.join(reasons)}")[:200]
    arguments = {"msg": told, "reboot_timeout": job.options.reboot_limit_s}
    result = action.upstream(_MODULE, arguments, job.task_vars)
    if result.get("failed") and not result.get("rebooted"):
        raise HostError(f"the host was not rebooted: {one_line(str(result.get('msg') or 'no reason given'))}")


def loops(reboot: Reboot, still: Sequence[str]) -> bool:
    """True when a host asks for a reboot that did not help before: the same reason, after reboot upon reboot."""
    return reboot.times >= _PATIENCE and bool(set(reboot.still) & set(still))
