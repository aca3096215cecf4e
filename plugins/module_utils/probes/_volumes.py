# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: LVM, Linux RAID, ZFS and btrfs beneath the filesystems (part of the disks probe).

Every function returns None when it could not look and something empty when it looked and there is none.
Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import json
import re

_LVM = (
    ("lvs", "lv", "lv_name,vg_name,lv_size,pool_lv,origin,data_percent,metadata_percent,lv_attr,lv_health_status"),
    ("vgs", "vg", "vg_name,vg_size,vg_free,vg_missing_pv_count,pv_count"),
    ("pvs", "pv", "pv_name,vg_name,pv_size,pv_free,pv_missing"),
)
# The tools are there and the kernel's part is not, as in containers.
_NO_ZFS = re.compile(r"ZFS modules (?:are not loaded|cannot be auto-loaded)")
_LVM_KEYS = {"lv": "volumes", "vg": "groups", "pv": "physical"}
_ARRAY = re.compile(r"^(md\S*) : (active|inactive)\s*(\((?:auto-)?read-only\))?\s*(.*)$")
_MEMBER = re.compile(r"^(\S+?)\[(\d+)\]((?:\([A-Z]\))*)$")
_WORKING = re.compile(r"\[(\d+)/(\d+)\]\s+\[([U_]+)\]")
_ACTIVITY = re.compile(r"(resync|recovery|reshape|check)\s*=\s*(?:(\d+(?:\.\d+)?)%|(DELAYED|PENDING))")
_SCAN = re.compile(r"^\s*scan: (scrub|resilver)(ed)? (?:repaired |in progress)?.*?(?: on (.*))?$")


def lvm(machine):
    """{"volumes", "groups", "physical"}; None without LVM or when it may not be read (noted under lvs, vgs, pvs)."""
    answers = {}
    for command, key, columns in _LVM:
        argv = [command, "--reportformat", "json", "--units", "b", "--nosuffix", "-o", columns]
        output = machine.run(argv, timeout=4)
        if not output.ok:
            return None
        try:
            answers[_LVM_KEYS[key]] = parse_lvm_report(output.out, key)
        except ValueError as exc:
            machine.note(command, "error", str(exc))
            return None
    return answers


def parse_lvm_report(text, key):
    """Rows of an LVM JSON report; sizes and counts become int, percentages float, what is empty None (names "")."""
    try:
        rows = [row for report in json.loads(text)["report"] for row in report.get(key, [])]
    except (ValueError, KeyError, TypeError) as exc:
        raise ValueError("LVM: not a JSON report: %r" % text[:120]) from exc
    return [dict((name, _lvm_value(name, value)) for name, value in row.items()) for row in rows]


def _lvm_value(name, value):
    try:
        if name.endswith("_percent"):
            return float(value) if value else None
        if name.endswith(("_size", "_free", "_count")):
            return int(value) if value else None
    except ValueError as exc:
        raise ValueError("LVM: %s is no number: %r" % (name, value[:40])) from exc
    return value


def raid(machine):
    """Arrays of Linux software RAID: those of /proc/mdstat with what /sys adds; [] when the kernel has none."""
    text = machine.read("/proc/mdstat")
    if text is None:
        return None if machine.sources.get("/proc/mdstat") else []
    try:
        arrays = parse_mdstat(text)
    except ValueError as exc:
        machine.note("/proc/mdstat", "error", str(exc))
        return None
    for array in arrays:
        folder = "/sys/block/%s/md/" % array["name"]
        array["array_state"] = _word(machine, folder + "array_state")
        array["sync_action"] = _word(machine, folder + "sync_action")
        array["degraded"] = _number(machine, folder + "degraded")
        array["mismatch_count"] = _number(machine, folder + "mismatch_cnt")
    return arrays


def _word(machine, path):
    return (machine.read(path) or "").strip() or None


def _number(machine, path):
    word = _word(machine, path)
    return int(word) if word and word.isdigit() else None


def parse_mdstat(text):
    """Parse /proc/mdstat.

    Returns [{"name", "state", "level", "read_only", "members": [{"device", "failed", "spare"}], "total", "working",
    "activity": None or {"kind", "percent"}}]; ``total`` and ``working`` are None where there is no redundancy.
    Raises ValueError with an array line that it cannot read.
    """
    arrays = []
    for line in text.splitlines():
        if line.startswith("md"):
            arrays.append(_parse_array(line))
        elif arrays and line.startswith(" "):
            working = _WORKING.search(line)
            if working:
                arrays[-1]["total"], arrays[-1]["working"] = int(working.group(1)), int(working.group(2))
            activity = _ACTIVITY.search(line)
            if activity:
                percent = float(activity.group(2)) if activity.group(2) else None
                arrays[-1]["activity"] = {"kind": activity.group(1), "percent": percent}
    return arrays


def _parse_array(line):
    match = _ARRAY.match(line)
    if not match:
        raise ValueError("/proc/mdstat: not an array line: %r" % line[:120])
    words = match.group(4).split()
    level = words.pop(0) if words and "[" not in words[0] else None
    members = []
    for word in words:
        member = _MEMBER.match(word)
        if not member:
            raise ValueError("/proc/mdstat: not a member: %r in %r" % (word, line[:120]))
        flags = member.group(3)
        members.append({"device": member.group(1), "failed": "(F)" in flags, "spare": "(S)" in flags})
    return {
        "name": match.group(1),
        "state": match.group(2),
        "level": level,
        "read_only": bool(match.group(3)),
        "members": members,
        "total": None,
        "working": None,
        "activity": None,
    }


def zfs(machine):
    """Pools: [{"name", "size_bytes", ..., "scan", "scan_ended", "errors"}]; None without zpool or its modules."""
    columns = "name,size,alloc,free,cap,frag,health"
    output = machine.run(["zpool", "list", "-Hp", "-o", columns], timeout=3, source="zpool", missing=_NO_ZFS)
    if not output.ok:
        return None
    try:
        pools = parse_zpool_list(output.out)
    except ValueError as exc:
        machine.note("zpool", "error", str(exc))
        return None
    for pool in pools:
        status = machine.run(["zpool", "status", pool["name"]], timeout=3, source="zpool status")
        pool.update(parse_zpool_status(status.out) if status.ok else {"scan": None, "scan_ended": None, "errors": None})
    return pools


def parse_zpool_list(text):
    """Rows of ``zpool list -Hp``; ``cap`` and ``frag`` are percent, a dash is None."""
    pools = []
    for line in text.splitlines():
        fields = line.split("\t")
        try:
            numbers = [None if field == "-" else int(field.rstrip("%")) for field in fields[1:6]]
            size, used, free, percent, fragmented = numbers
            health = fields[6]
        except (ValueError, IndexError) as exc:
            raise ValueError("zpool list: not a pool line: %r" % line[:120]) from exc
        pools.append(
            {
                "name": fields[0],
                "size_bytes": size,
                "used_bytes": used,
                "free_bytes": free,
                "used_percent": percent,
                "fragmented_percent": fragmented,
                "health": health,
            }
        )
    return pools


def parse_zpool_status(text):
    """{"scan": scrub|resilver|None, "scan_ended": ctime text or None, "errors": text} from ``zpool status``."""
    found = {"scan": None, "scan_ended": None, "errors": None}
    for line in text.splitlines():
        scan = _SCAN.match(line)
        if scan:
            found["scan"], found["scan_ended"] = scan.group(1), scan.group(3)
        elif line.startswith("errors: "):
            found["errors"] = line[8:].strip()
    return found


def btrfs(machine, filesystem):
    """{"mount", "usage", "devices"} of one btrfs; either is None when it could not be read."""
    mount = filesystem["mount"]
    found = {"mount": mount, "usage": None, "devices": None}
    usage = machine.run(["btrfs", "filesystem", "usage", "-b", mount], timeout=3, source="btrfs filesystem usage")
    stats = machine.run(["btrfs", "device", "stats", mount], timeout=3, accepted=None, source="btrfs device stats")
    try:
        found["usage"] = parse_btrfs_usage(usage.out) if usage.ok else None
        if stats.out.startswith("["):
            found["devices"] = parse_btrfs_stats(stats.out)
        elif stats.ok:
            machine.note("btrfs device stats", "error" if machine.privileged else "denied", stats.err.strip())
    except ValueError as exc:
        machine.note("btrfs", "error", str(exc))
    return found


def parse_btrfs_usage(text):
    """Overall numbers of ``btrfs filesystem usage -b`` in bytes, plus those of the metadata block groups."""
    names = (
        ("size_bytes", r"Device size:\s+(\d+)"),
        ("unallocated_bytes", r"Device unallocated:\s+(\d+)"),
        ("missing_bytes", r"Device missing:\s+(\d+)"),
        ("free_estimated_bytes", r"Free \(estimated\):\s+(\d+)"),
        ("metadata_size_bytes", r"(?m)^Metadata,\S+ Size:(\d+)"),
        ("metadata_used_bytes", r"(?m)^Metadata,\S+ Size:\d+, Used:(\d+)"),
    )
    matches = [(name, re.search(pattern, text)) for name, pattern in names]
    if not matches[0][1]:
        raise ValueError("btrfs usage: no device size in %r" % text[:120])
    return dict((name, int(match.group(1)) if match else None) for name, match in matches)


def parse_btrfs_stats(text):
    """Error counters of every device of a btrfs: {device: {"write_io_errs": 0, ...}}."""
    devices = {}
    for line in text.splitlines():
        match = re.match(r"^\[(.+)\]\.(\w+)\s+(\d+)$", line)
        if not match:
            raise ValueError("btrfs device stats: not a counter: %r" % line[:120])
        devices.setdefault(match.group(1), {})[match.group(2)] = int(match.group(3))
    return devices
