# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: how full are the filesystems?

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _filesystems, _mounts
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Unreadable

TIME_LIMIT_S = 8


def collect(machine, parameters):
    """Return {"filesystems": as the disks probe has them}.

    What this user may not look at is left out: an assessment, which has more rights, tells of it.
    """
    text = machine.read("/proc/self/mountinfo")
    if text is None:
        raise Unreadable("error", "/proc/self/mountinfo cannot be read")
    try:
        groups, _skipped = _mounts.group(_mounts.parse_mountinfo(text), False)
    except ValueError as exc:
        raise Unreadable("error", str(exc)) from exc
    fstab = machine.read("/etc/fstab")
    wanted = {} if fstab is None else _mounts.parse_fstab(fstab)
    found = [_filesystems.facts(machine, members, wanted) for members in groups]
    return {"filesystems": [entry for entry in found if entry and entry["status"] != "denied"]}
