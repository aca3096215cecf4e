# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How full are the filesystems, and is what carries them in order?

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import (
    _deleted_open,
    _filesystems,
    _mounts,
    _volumes,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Unreadable

TIME_LIMIT_S = 15
PARAMETERS = ("network",)


def collect(machine, parameters):
    """Return filesystems, deleted but open files, LVM, RAID, ZFS, btrfs and swap; sizes in bytes.

    ``parameters["network"]`` true also looks at network filesystems. What could not be looked at is None.
    """
    text = machine.read("/proc/self/mountinfo")
    if text is None:
        raise Unreadable("error", "/proc/self/mountinfo cannot be read")
    try:
        mounts = _mounts.parse_mountinfo(text)
    except ValueError as exc:
        raise Unreadable("error", str(exc)) from exc
    groups, skipped = _mounts.group(mounts, bool(parameters.get("network")))
    fstab = machine.read("/etc/fstab")
    wanted = {} if fstab is None else _mounts.parse_fstab(fstab)
    filesystems = [entry for entry in (_filesystems.facts(machine, members, wanted) for members in groups) if entry]
    return {
        "filesystems": filesystems,
        "skipped_network": skipped,
        "deleted_open": _deleted_open.collect(machine, dict((m["dev"], m["mount"]) for g in groups for m in g[:1])),
        "lvm": _volumes.lvm(machine),
        "raid": _volumes.raid(machine),
        "zfs": _volumes.zfs(machine),
        "btrfs": [_volumes.btrfs(machine, entry) for entry in filesystems if entry["fstype"] == "btrfs"],
        "swap": _swap(machine),
    }


def _swap(machine):
    text = machine.read("/proc/swaps")
    if text is None:
        return None
    try:
        return parse_swaps(text)
    except ValueError as exc:
        machine.note("/proc/swaps", "error", str(exc))
        return None


def parse_swaps(text):
    """Parse /proc/swaps (sizes in KiB): [{"path", "kind", "size_bytes", "used_bytes"}]."""
    found = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) != 5 or not fields[2].isdigit() or not fields[3].isdigit():
            raise ValueError("/proc/swaps: not a swap line: %r" % line[:120])
        found.append(
            {
                "path": _mounts.unescape(fields[0]),
                "kind": fields[1],
                "size_bytes": int(fields[2]) * 1024,
                "used_bytes": int(fields[3]) * 1024,
            }
        )
    return found
