# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: which boot of the host this is, and who rules it.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _folder

_BOOT_ID = "/proc/sys/kernel/random/boot_id"


def has_systemd(machine):
    """True when systemd rules this host."""
    return machine.exists("/run/systemd/system")


def identity(machine):
    """What tells one boot from the next: in a container the boot id is the machine's, and process 1 tells."""
    return {"boot_id": (machine.read(_BOOT_ID) or "").strip(), "pid1_started": _folder.started(1)}
