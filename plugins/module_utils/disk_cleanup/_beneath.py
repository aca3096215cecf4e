# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what lies beneath a block device, down to its disks, and whether all of it is well.

What cannot be judged is a reason not to build on it. Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import re

from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup._refused import Refused
from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _volumes

# Disks of which the kernel's log is all there is to ask.
_DISK = re.compile(r"^(?:sd|hd|vd|xvd|nvme|mmcblk|dasd|pmem|loop)")
_ENCRYPTED = "CRYPT-"
_DEEPEST = 8


def node(machine, path):
    """The kernel's name of a device: /dev/mapper/x is dm-3, /dev/md/data is md127."""
    for _link in range(_DEEPEST):
        target = machine.readlink(path)
        if target is None:
            break
        path = target if target.startswith("/") else path.rpartition("/")[0] + "/" + target
    return path.rpartition("/")[2]


def disks(machine, names, what):
    """Names of all devices and disks beneath these, when all is well; ``what`` lies on them, for words.

    Raises Refused for a RAID that is not well and for what Keepwell cannot judge: several paths, DRBD, a volume on a
    volume, whatever is unknown.
    """
    found, pending = [], list(names)
    while pending:
        name = pending.pop()
        if name in found:
            continue
        found.append(name)
        folder = "/sys/class/block/" + name
        target = machine.readlink(folder)
        if target is None:
            raise Refused("layer", "%s lies on %s, which the kernel does not know." % (what, name))
        if machine.exists(folder + "/partition"):
            pending.append(target.split("/")[-2])
        elif name.startswith("md"):
            raid(machine, name)
            pending += machine.listdir(folder + "/slaves")
        elif (machine.read(folder + "/dm/uuid") or "").startswith(_ENCRYPTED):
            pending += machine.listdir(folder + "/slaves")
        elif not _DISK.match(name):
            text = "%s lies on %s, of which Keepwell cannot tell whether it is well; make it larger by hand."
            raise Refused("layer", text % (what, _called(machine, folder, name)))
    return sorted(found)


def raid(machine, name):
    """Raise Refused unless this array of Linux software RAID is well."""
    arrays = _volumes.raid(machine)
    array = next((entry for entry in arrays or [] if entry["name"] == name), None)
    if array is None:
        raise Refused("raid", "The state of the RAID %s cannot be read." % name)
    if array["degraded"] or array["activity"] or array["state"] != "active":
        raise Refused("raid", "The RAID %s is degraded or being rebuilt." % name)


def _called(machine, folder, name):
    """A device as people know it."""
    known = (machine.read(folder + "/dm/name") or "").strip()
    uuid = (machine.read(folder + "/dm/uuid") or "").split("-")[0].strip()
    return "%s (%s)" % (known, uuid) if known and uuid else known or name
