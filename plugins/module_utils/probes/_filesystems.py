# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: how full one filesystem is (part of the disks probe, and of the watch).

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

# Longest wait for one filesystem; a dead network mount never answers at all.
STATVFS_TIMEOUT_S = 2.0
SIZES = ("size_bytes", "used_bytes", "avail_bytes", "free_bytes", "inodes_total", "inodes_free")


def facts(machine, members, wanted):
    """Facts of one filesystem; None when only single files of it are mounted (/etc/hosts in a container)."""
    for mount in members:

        def look(path=mount["mount"]):
            known = machine.stat(path)
            return {"kind": known and known["kind"], "numbers": machine.statvfs(path)}

        status, answer = machine.in_child(look, STATVFS_TIMEOUT_S)
        if status == "ok" and answer["kind"] not in (None, "dir"):
            continue
        entry = {
            "mount": mount["mount"],
            "source": mount["source"],
            "fstype": mount["fstype"],
            "dev": mount["dev"],
            "kind": mount["kind"],
            # The filesystem itself, not this one mount of it: an error makes the kernel set the former.
            "read_only": "ro" in mount["super_options"],
            "mount_read_only": "ro" in mount["options"],
            "fstab_read_only": wanted.get(mount["mount"]),
            "error_policy": next((o[7:] for o in mount["super_options"] if o.startswith("errors=")), None),
            "status": status,
        }
        numbers = answer["numbers"] if status == "ok" else None
        if status == "ok" and numbers is None:
            entry["status"] = "denied" if not machine.privileged else "error"
        if entry["status"] != "ok":
            machine.note("statvfs " + mount["mount"], entry["status"], "the filesystem did not answer")
        entry.update(sizes(numbers))
        return entry
    return None


def sizes(numbers):
    """Bytes and inodes from statvfs as df counts them; all None without an answer, inodes None where not counted."""
    if numbers is None:
        return dict.fromkeys(SIZES)
    unit = numbers["frsize"] or numbers["bsize"]
    counted = numbers["files"] > 0
    return {
        "size_bytes": unit * numbers["blocks"],
        "used_bytes": unit * (numbers["blocks"] - numbers["bfree"]),
        "avail_bytes": unit * numbers["bavail"],
        "free_bytes": unit * numbers["bfree"],
        "inodes_total": numbers["files"] if counted else None,
        "inodes_free": numbers["ffree"] if counted else None,
    }
