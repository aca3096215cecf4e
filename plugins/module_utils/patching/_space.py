# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: is there room for what would be fetched and installed?

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import os
import re

_KERNEL = re.compile(r"^(?:linux-image-|kernel(?:-core|-default|-uek|-uek-core|-rt|-rt-core|-modules.*)?$)")
_BOOT_FILES = ("/boot/vmlinuz-*", "/boot/Image-*")
_RAMDISKS = ("/boot/initrd.img-*", "/boot/initramfs-*.img", "/boot/initrd-*")


def look(machine, cache):
    """Filesystems that patching writes to: [{"mount", "roles", "free_bytes", "size_bytes", "free_inodes_percent"}].

    Numbers are None for one that does not answer; ``cache`` is where packages are fetched to.
    """
    mounts = {}
    for role, folder in (("/", "/"), ("/boot", "/boot"), ("/usr", "/usr"), ("/var", "/var"), ("cache", cache)):
        mounts.setdefault(_mount(folder), []).append(role)
    return [_measured(machine, mount, roles) for mount, roles in sorted(mounts.items())]


def _mount(folder):
    """The mount point that a folder is on; one that does not exist is where its parent is."""
    place = os.path.realpath(folder)
    while not os.path.ismount(place) and place != "/":
        place = os.path.dirname(place)
    return place


def _measured(machine, mount, roles):
    entry = {"mount": mount, "roles": roles, "free_bytes": None, "size_bytes": None, "free_inodes_percent": None}
    status, info = machine.in_child(lambda: machine.statvfs(mount), 3.0)
    if status == "ok" and info:
        entry["free_bytes"] = info["bavail"] * info["frsize"]
        entry["size_bytes"] = info["blocks"] * info["frsize"]
        # Some filesystems (btrfs) have no fixed number of inodes.
        entry["free_inodes_percent"] = round(100.0 * info["ffree"] / info["files"], 1) if info["files"] else None
    return entry


def newest_boot_bytes(machine):
    """Size of the newest kernel in /boot with its ramdisk; None when there is none."""
    sizes = []
    for patterns in (_BOOT_FILES, _RAMDISKS):
        found = [machine.stat(path) for pattern in patterns for path in machine.glob(pattern)]
        newest = sorted((info["mtime"], info["size"]) for info in found if info)[-1:]
        sizes += [size for _mtime, size in newest]
    return sum(sizes) if sizes else None


def lacking(machine, cache, reserve_bytes, download_bytes, moves):
    """Sentences on filesystems that are too full for a transaction."""
    boot = newest_boot_bytes(machine) or 0
    new_kernel = any(_KERNEL.match(move["name"]) and move["after"] for move in moves)
    found = []
    for entry in look(machine, cache):
        needed = 0
        if "/" in entry["roles"] or "/var" in entry["roles"] or "/usr" in entry["roles"]:
            needed = reserve_bytes
        elif "cache" in entry["roles"]:
            needed = download_bytes or 0
        elif new_kernel:
            needed = 2 * boot
        if entry["free_bytes"] is None:
            found.append("%s does not answer" % entry["mount"])
        elif entry["free_bytes"] < needed:
            found.append("%s needs %s free and has %s" % (entry["mount"], _mib(needed), _mib(entry["free_bytes"])))
    return found


def _mib(number):
    return "%.1f MiB" % (number / 1048576.0)
