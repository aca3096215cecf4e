# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what a filesystem lies on, and what stands against making it larger.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import json
import re

from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup import _beneath
from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup._refused import Refused
from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _mounts, _volumes

SECTOR = 512
MBR_SECTORS = 2**32
THIN_LIMIT = 80.0
GROWABLE = ("ext4", "xfs")
_LV = "lv_name,vg_name,lv_size,lv_attr,lv_health_status,pool_lv,segtype,data_percent,metadata_percent"
_VG = "vg_name,vg_size,vg_free,vg_missing_pv_count,vg_extent_size,vg_attr"
_PV = "pv_name,vg_name"
# A kernel's log may be larger than what is read of a command, and its end is what counts.
_LOG_CAP = 16 * 1024 * 1024
_KERNEL_TROUBLE = (
    "I/O error(?:,| on) dev(?:ice)? {0}|EXT4-fs error \\(device {0}\\)|XFS \\({0}\\).*(?:orruption|error|shut)"
)


def mounted(machine, mount):
    """{"mount", "dev", "fstype", "source"} of a mounted filesystem. Raises Refused."""
    entries = [
        entry
        for entry in _mounts.parse_mountinfo(machine.read("/proc/self/mountinfo") or "")
        if entry["mount"] == mount
    ]
    if not entries:
        raise Refused("no_filesystem", "%s is not mounted." % mount)
    entry = entries[-1]
    if entry["fstype"] not in GROWABLE:
        kinds = " and ".join(GROWABLE)
        raise Refused("fstype", "%s is %s; Keepwell makes %s larger." % (mount, entry["fstype"], kinds))
    if "ro" in entry["options"] or "ro" in entry["super_options"]:
        raise Refused("read_only", "%s is mounted read-only; find out why first." % mount)
    return entry


def block(machine, dev):
    """{"name", "path", "kind", "disk", "number", "size_bytes"} of a block device (``major:minor``). Raises Refused.

    ``kind`` is lvm, partition or disk.
    """
    folder = "/sys/dev/block/" + dev
    target = machine.readlink(folder)
    if target is None:
        raise Refused("no_device", "Block device %s is not known to the kernel." % dev)
    parts = target.split("/")
    name = parts[-1]
    sectors = _number(machine, folder + "/size")
    found = {"name": name, "path": "/dev/" + name, "kind": "disk", "disk": name, "number": None}
    found["size_bytes"] = sectors * SECTOR
    uuid = (machine.read(folder + "/dm/uuid") or "").strip()
    if uuid:
        dm_name = (machine.read(folder + "/dm/name") or "").strip()
        if not uuid.startswith("LVM-"):
            what = {"CRYPT": "encrypted", "mpath": "reached over several paths"}.get(uuid.split("-")[0], uuid[:20])
            raise Refused("layer", "%s is %s; make it larger by hand." % (dm_name or name, what))
        return dict(found, kind="lvm", path="/dev/mapper/" + dm_name)
    if machine.exists(folder + "/partition"):
        return dict(found, kind="partition", disk=parts[-2], number=_number(machine, folder + "/partition"))
    return found


def check_health(machine, mount, device):
    """Raise Refused when the filesystem, its device or the RAID beneath is not well."""
    if mount["fstype"] == "ext4":
        output = machine.run(["tune2fs", "-l", device["path"]], timeout=10)
        state = re.search(r"^Filesystem state:\s+(.*)$", output.out, re.MULTILINE)
        if not output.ok or not state:
            raise Refused("fs_unknown", "The state of %s cannot be read: %s." % (mount["mount"], output.err.strip()))
        if "error" in state.group(1) or re.search(r"^FS Error count:\s+[1-9]", output.out, re.MULTILINE):
            raise Refused(
                "fs_errors", "%s has recorded errors (%s); check it first." % (mount["mount"], state.group(1))
            )
    names = [device["name"], device["disk"]]
    if device["kind"] == "lvm":
        names += _beneath_volume(machine, device)
    elif device["disk"].startswith("md"):
        _beneath.raid(machine, device["disk"])
    log = machine.run(["dmesg"], timeout=5, cap=_LOG_CAP)
    if not log.ok or log.truncated:
        why = "it is longer than %d MiB" % (_LOG_CAP >> 20) if log.ok else log.err.strip() or log.status
        text = "Whether the kernel reports errors of %s cannot be read from its log (dmesg): %s."
        raise Refused("fs_unknown", text % (mount["mount"], why))
    pattern = "(?:%s)" % "|".join(re.escape(name) for name in names)
    trouble = re.search(_KERNEL_TROUBLE.format(pattern), log.out)
    if trouble:
        raise Refused("device_errors", "The kernel reports errors: %s." % trouble.group(0))


def _beneath_volume(machine, device):
    """Names of all devices beneath the volume group of a volume: new room may come from any of them."""
    group = volume(machine, device)["lv"]["vg_name"]
    rows = _report(machine, "pvs", "pv", _PV, "--select=vg_name=" + group)
    if not rows:
        raise Refused("lvm", "LVM does not say on which disks the volume group %s lies." % group)
    names = [_beneath.node(machine, row["pv_name"]) for row in rows]
    return _beneath.disks(machine, names, "The volume group " + group)


def filesystem_bytes(machine, mount, device):
    """How much of its device a filesystem uses, its own tables included. Raises Refused."""
    if mount["fstype"] == "ext4":
        output = machine.run(["tune2fs", "-l", device["path"]], timeout=10)
        blocks = re.search(r"^Block count:\s+(\d+)$", output.out, re.MULTILINE)
        unit = re.search(r"^Block size:\s+(\d+)$", output.out, re.MULTILINE)
    else:
        output = machine.run(["xfs_info", mount["mount"]], timeout=10)
        blocks = re.search(r"^data\s.*blocks=(\d+)", output.out, re.MULTILINE)
        unit = re.search(r"^data\s.*bsize=(\d+)", output.out, re.MULTILINE)
    if not (blocks and unit):
        raise Refused("fs_unknown", "The size of %s cannot be read: %s." % (mount["mount"], output.err.strip()))
    return int(blocks.group(1)) * int(unit.group(1))


def volume(machine, device):
    """LVM's numbers of the volume beneath a filesystem: {"lv", "vg"}. Raises Refused for what stands against it."""
    volumes = _report(machine, "lvs", "lv", _LV, device["path"])
    if not volumes:
        raise Refused("lvm", "LVM does not know %s." % device["path"])
    lv = volumes[0]
    vg = _report(machine, "vgs", "vg", _VG, lv["vg_name"])[0]
    if vg.get("vg_missing_pv_count"):
        raise Refused("vg_missing_pv", "The volume group %s lacks a disk." % lv["vg_name"])
    if vg.get("vg_attr", "")[5:6] in ("c", "s"):
        raise Refused("clustered", "The volume group %s is shared by a cluster." % lv["vg_name"])
    if lv.get("lv_health_status"):
        raise Refused("lv_health", "The volume %s is not well: %s." % (lv["lv_name"], lv["lv_health_status"]))
    if lv.get("segtype") not in ("linear", "striped", "thin"):
        raise Refused("segtype", "The volume %s is of type %s." % (lv["lv_name"], lv.get("segtype")))
    if lv.get("pool_lv"):
        pool = _report(machine, "lvs", "lv", _LV, "%s/%s" % (lv["vg_name"], lv["pool_lv"]))[0]
        fullest = max(pool.get("data_percent") or 0.0, pool.get("metadata_percent") or 0.0)
        if fullest > THIN_LIMIT:
            raise Refused(
                "thin_pool", "The thin pool %s is %.0f %% full; extend the pool first." % (lv["pool_lv"], fullest)
            )
    return {"lv": lv, "vg": vg}


def _report(machine, command, key, columns, name):
    argv = [command, "--reportformat", "json", "--units", "b", "--nosuffix", "-o", columns, name]
    output = machine.run(argv, timeout=15)
    if not output.ok:
        raise Refused("lvm", "%s gives no answer: %s." % (command, output.err.strip() or output.status))
    try:
        return _volumes.parse_lvm_report(output.out, key)
    except ValueError as exc:
        raise Refused("lvm", str(exc)) from exc


def partition(machine, device):
    """Sectors that a partition would have: {"old", "new", "label"}. Raises Refused."""
    disk = "/dev/" + device["disk"]
    output = machine.run(["sfdisk", "--json", disk], timeout=10)
    if not output.ok:
        raise Refused("partition_table", "The partition table of %s cannot be read: %s." % (disk, output.err.strip()))
    try:
        table = json.loads(output.out)["partitiontable"]
        mine = next(entry for entry in table["partitions"] if entry["node"] == device["path"])
    except (ValueError, KeyError, StopIteration) as exc:
        raise Refused("partition_table", "%s is not in the partition table of %s." % (device["path"], disk)) from exc
    if any(entry["start"] > mine["start"] for entry in table["partitions"]):
        raise Refused("not_last", "Behind %s lies another partition." % device["path"])
    dry = machine.run(["growpart", "--dry-run", disk, str(device["number"])], timeout=20, accepted=(0, 1))
    sizes = re.search(r"old: size=(\d+) .*new: size=(\d+) end=(\d+)", dry.out)
    if dry.rc == 1 and "NOCHANGE" in dry.out:
        raise Refused("no_room", "The disk %s has no free space behind %s." % (disk, device["path"]))
    if dry.rc != 0 or not sizes:
        words = (dry.err or dry.out).strip() or dry.status
        raise Refused("partition_table", "growpart refuses: %s." % " ".join(words.split())[:200])
    if table.get("label") == "dos" and int(sizes.group(3)) >= MBR_SECTORS:
        raise Refused("mbr", "%s has an MBR, which ends at 2 TiB." % disk)
    return {"old": int(sizes.group(1)), "new": int(sizes.group(2)), "label": table.get("label")}


def _number(machine, path):
    text = (machine.read(path) or "").strip()
    return int(text) if text.isdigit() else 0
