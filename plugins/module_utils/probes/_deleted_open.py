# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: deleted files that a process still holds open (part of the disks probe).

They explain why a disk stays full after somebody cleaned it. Runs on managed hosts: standard library only, Python
3.6 syntax.
"""

SOURCE = "open files"
_NOT_ON_DISK = ("/memfd:", "/dev/", "/SYSV", "/[aio]", "/anon_hugepage", "/i915", "/drm")
_MARK = " (deleted)"
# Time kept back for the rest of the probe.
_RESERVE_S = 4.0
_TOP = 20


def collect(machine, mounts):
    """Return {"bytes", "files", "owners", "by_mount", "complete"} or None when no process could be looked at.

    ``mounts`` maps "major:minor" to mount points. ``owners`` are the largest {"mount", "unit", "process",
    "bytes", "files"}; ``mount`` is None for a file on none of them. ``complete`` is False when
    rights or time did not suffice for all processes.
    """
    owners = {}
    by_mount = {}
    seen = set()
    looked_at = 0
    complete = True
    for pid in machine.listdir("/proc"):
        if not pid.isdigit():
            continue
        if machine.remaining() < _RESERVE_S:
            complete = False
            break
        folder = "/proc/%s/fd" % pid
        descriptors = machine.listdir(folder, source=SOURCE)
        looked_at += 1 if descriptors else 0
        for descriptor in descriptors:
            if machine.remaining() < _RESERVE_S:
                complete = False
                break
            path = folder + "/" + descriptor
            target = machine.readlink(path)
            if not is_deleted_file(target):
                continue
            info = machine.stat(path)
            if info is None or info["nlink"] or info["kind"] != "file" or (info["dev"], info["ino"]) in seen:
                continue
            seen.add((info["dev"], info["ino"]))
            mount = mounts.get(device_text(info["dev"]))
            key = (mount, unit_of(machine.read("/proc/%s/cgroup" % pid)), _name(machine, pid))
            sums = owners.setdefault(key, [0, 0])
            sums[0] += info["blocks"] * 512
            sums[1] += 1
            if mount:
                by_mount[mount] = by_mount.get(mount, 0) + info["blocks"] * 512
    if machine.sources.get(SOURCE, {}).get("status") == "denied":
        complete = False
    if not looked_at:
        return None
    largest = sorted(owners.items(), key=lambda item: (-item[1][0], item[0][1:]))
    return {
        "bytes": sum(sums[0] for sums in owners.values()),
        "files": sum(sums[1] for sums in owners.values()),
        "owners": [
            {"mount": mount, "unit": unit, "process": process, "bytes": sums[0], "files": sums[1]}
            for (mount, unit, process), sums in largest[:_TOP]
        ],
        "by_mount": by_mount,
        "complete": complete,
    }


def is_deleted_file(target):
    """True when the target of a /proc/PID/fd link is a deleted file that may take space on a disk."""
    return bool(target) and target.endswith(_MARK) and target[0] == "/" and not target.startswith(_NOT_ON_DISK)


def device_text(number):
    """``major:minor`` of a device number as stat gives it (the encoding of glibc's gnu_dev_major and _minor)."""
    major = ((number >> 8) & 0xFFF) | ((number >> 32) & ~0xFFF)
    minor = (number & 0xFF) | ((number >> 12) & ~0xFF)
    return "%d:%d" % (major, minor & 0xFFFFFFFF)


def unit_of(text):
    """Unit that a process belongs to, from /proc/PID/cgroup (v2 or v1); "" when there is none."""
    for line in (text or "").splitlines():
        controllers, _colon, path = line.partition(":")[2].partition(":")
        if controllers in ("", "name=systemd"):
            for part in reversed(path.split("/")):
                if part.endswith((".service", ".scope", ".socket", ".mount")):
                    return part
    return ""


def _name(machine, pid):
    return (machine.read("/proc/%s/comm" % pid) or "").strip() or "unknown"
