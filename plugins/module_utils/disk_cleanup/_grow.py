# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: make a filesystem larger before it is full: plan, refuse, carry out, verify.

Sizes are absolute, so that doing it twice changes nothing; nothing is ever made smaller. A filesystem that is smaller
than its device, as after a step that failed, is made as large as that first, and nothing more.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import contextlib
import os

from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup import _grow_facts as facts
from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup import _space

_RESCAN = "/sys/block/%s/device/rescan"
# A filesystem ends at a whole group of blocks; less than that is no room.
_LEAST_BYTES = 16 * 1024 * 1024


def plan(machine, wanted):
    """How a filesystem would be made larger, or why not.

    ``wanted``: {"mount", "add_bytes", "step_percent", "reserve_percent"}. Returns {"mount", "kind", "fstype", "device",
    "from_bytes", "to_bytes", "steps": [argv], "text", "refused": None or {"code", "text"}}.
    """
    found = {"mount": wanted["mount"], "kind": "", "fstype": "", "device": "", "from_bytes": 0, "to_bytes": 0}
    found.update(steps=[], text="", refused=None)
    try:
        mount = facts.mounted(machine, wanted["mount"])
        device = facts.block(machine, mount["dev"])
        found.update(kind=device["kind"], fstype=mount["fstype"], device=device["path"])
        found["from_bytes"] = device["size_bytes"]
        facts.check_health(machine, mount, device)
        found.update(_resumed(machine, mount, device) or _KINDS[device["kind"]](machine, mount, device, wanted))
        found["steps"] = found["steps"] + [_resize(mount, device)]
        added = (found["to_bytes"] - found["from_bytes"]) / 1048576.0
        found["text"] = "%s: %.0f MiB more (%s)" % (wanted["mount"], added, device["path"])
    except facts.Refused as exc:
        found.update(steps=[], refused={"code": exc.code, "text": exc.text})
    return found


def _resumed(machine, mount, device):
    """What is left of a growth that ended half-way: the filesystem is to be as large as its device already is."""
    size = facts.filesystem_bytes(machine, mount, device)
    if device["size_bytes"] - size < _LEAST_BYTES:
        return None
    return {"from_bytes": size, "to_bytes": device["size_bytes"], "steps": []}


def _lvm(machine, mount, device, wanted):
    numbers = facts.volume(machine, device)
    lv, vg = numbers["lv"], numbers["vg"]
    extent = vg.get("vg_extent_size") or 4 * 1024 * 1024
    most = int(lv["lv_size"] * wanted["step_percent"] / 100.0)
    thin = bool(lv.get("pool_lv"))
    spare = most if thin else vg["vg_free"] - int(vg["vg_size"] * wanted["reserve_percent"] / 100.0)
    step = min(wanted["add_bytes"], most, spare) // extent * extent
    if step <= 0:
        raise facts.Refused(
            "no_room",
            "The volume group %s has %.0f MiB free, of which %d %% of the group are kept in reserve."
            % (lv["vg_name"], vg["vg_free"] / 1048576.0, wanted["reserve_percent"]),
        )
    to = lv["lv_size"] + step
    name = "%s/%s" % (lv["vg_name"], lv["lv_name"])
    size = "%db" % to
    test = machine.run(["lvextend", "--test", "-L", size, name], timeout=20)
    if not test.ok:
        raise facts.Refused("lvm", "lvextend --test refuses: %s." % " ".join(test.err.split())[:200])
    steps = [["vgcfgbackup", lv["vg_name"]], ["lvextend", "-L", size, name]]
    return {"from_bytes": lv["lv_size"], "to_bytes": to, "steps": steps}


def _partition(machine, mount, device, wanted):
    sizes = facts.partition(machine, device)
    return {
        "from_bytes": sizes["old"] * facts.SECTOR,
        "to_bytes": sizes["new"] * facts.SECTOR,
        "steps": [["growpart", "/dev/" + device["disk"], str(device["number"])]],
    }


def _disk(machine, mount, device, wanted):
    raise facts.Refused("no_room", "%s is as large as its disk %s." % (mount["mount"], device["path"]))


_KINDS = {"lvm": _lvm, "partition": _partition, "disk": _disk}


def _resize(mount, device):
    if mount["fstype"] == "xfs":
        return ["xfs_growfs", mount["mount"]]
    return ["resize2fs", device["path"]]


def disks(machine, mount):
    """Names of the disks beneath a filesystem."""
    try:
        device = facts.block(machine, facts.mounted(machine, mount)["dev"])
    except facts.Refused:
        return []
    return [device["disk"]] if device["kind"] != "lvm" else []


def rescan(disk):
    """Let the kernel ask a disk for its size again."""
    with contextlib.suppress(OSError):
        descriptor = os.open(_RESCAN % disk, os.O_WRONLY)
        try:
            os.write(descriptor, b"1")
        finally:
            os.close(descriptor)


def carry_out(commands, found):
    """Carry out a plan; {"mount", "from_bytes", "to_bytes", "grown_bytes", "text"} by what the filesystem says then."""
    before = _space.measure(found["mount"])["size_bytes"]
    wrong = ""
    for argv in found["steps"]:
        done = commands.run(argv)
        if done.rc != 0:
            wrong = "%s ended with %s: %s" % (argv[0], done.rc, " ".join((done.err or done.out).split())[-200:])
            break
    after = _space.measure(found["mount"])["size_bytes"]
    grown = max(0, after - before)
    text = "%s has grown by %.0f MiB to %.0f MiB" % (found["mount"], grown / 1048576.0, after / 1048576.0)
    if wrong:
        text = "%s: %s. Nothing is made smaller again; the next run goes on where this one ended." % (
            found["mount"],
            wrong,
        )
    elif not grown:
        text = "%s is as large as before, although all went through." % found["mount"]
    return {
        "mount": found["mount"],
        "from_bytes": before,
        "to_bytes": after,
        "grown_bytes": 0 if wrong else grown,
        "text": text,
    }
