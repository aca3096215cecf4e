# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: how much room there is, and why a cleanup freed another amount than it was expected to.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import os
import time

from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError
from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup import _account
from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _mounts

_SAMPLE_S = 0.5
# Some filesystems give back space a moment later.
_SETTLE_S = 3.0
_ENOUGH = 0.95
# Less than that is what any host writes by itself.
_NOISE_BYTES = 64 * 1024


def table():
    """The mounts that count: [(best mount, fstype, [all mounts of that filesystem])]."""
    with open("/proc/self/mountinfo", "rb") as stream:
        mounts = _mounts.parse_mountinfo(os.fsdecode(stream.read()))
    groups, _skipped = _mounts.group(mounts, False)
    return [(group[0]["mount"], group[0]["fstype"], [entry["mount"] for entry in group]) for group in groups]


def measure(mount):
    """{"at", "size_bytes", "avail_bytes", "free_bytes", "inodes_total", "inodes_free"} of a mounted filesystem."""
    info = os.statvfs(mount)
    unit = info.f_frsize or info.f_bsize
    return {
        "at": time.time(),
        "size_bytes": unit * info.f_blocks,
        "avail_bytes": unit * info.f_bavail,
        "free_bytes": unit * info.f_bfree,
        "inodes_total": info.f_files or None,
        "inodes_free": info.f_ffree if info.f_files else None,
    }


def targets(wanted):
    """Filesystems that want room, by device: {st_dev: Target}. Raises AgentError for what is no mounted filesystem.

    ``wanted``: [{"mount", "target_percent"}]; without a percentage everything that may go is wanted.
    """
    known = dict((mount, (fstype, members)) for mount, fstype, members in table())
    found = {}
    for entry in wanted:
        mount = entry["mount"]
        if mount not in known:
            raise AgentError("no_filesystem", "%s is no mounted local filesystem of this host." % mount)
        numbers = measure(mount)
        percent = entry.get("target_percent")
        target = _account.Target(
            mount,
            os.stat(mount).st_dev,
            numbers["avail_bytes"],
            None if percent is None else int(numbers["size_bytes"] * percent / 100.0),
            numbers["inodes_free"],
            None if percent is None or not numbers["inodes_total"] else int(numbers["inodes_total"] * percent / 100.0),
        )
        for member in known[mount][1]:
            try:
                found.setdefault(os.stat(member).st_dev, target)
            except OSError:
                continue
    return found


def renew(targets_by_device):
    """Look again at how much is free, before the next rule."""
    for target in set(targets_by_device.values()):
        numbers = measure(target.mount)
        target.avail_bytes, target.inodes_free = numbers["avail_bytes"], numbers["inodes_free"]


def pace(mount):
    """Bytes a second by which free space changes by itself, from two looks."""
    first = measure(mount)
    time.sleep(_SAMPLE_S)
    second = measure(mount)
    return (second["free_bytes"] - first["free_bytes"]) / max(0.001, second["at"] - first["at"])


def settled(mount, before, expected):
    """The measurement after a cleanup, once what was freed has arrived, or the patience has ended."""
    end = time.monotonic() + _SETTLE_S
    while True:
        now = measure(mount)
        if now["free_bytes"] - before["free_bytes"] >= expected * _ENOUGH or time.monotonic() > end:
            return now
        time.sleep(0.1)


def snapshots(machine, mount):
    """How many snapshots hold old data of a filesystem: None where the filesystem has none of that kind."""
    fstype = next((kind for place, kind, _members in table() if place == mount), "")
    if fstype == "btrfs":
        output = machine.run(["btrfs", "subvolume", "list", "-s", mount], timeout=10)
        return len(output.lines()) if output.ok else None
    if fstype == "zfs":
        output = machine.run(["zfs", "list", "-H", "-t", "snapshot", "-o", "name", "-r", mount], timeout=10)
        return len(output.lines()) if output.ok else None
    return None


def explain(predicted, before, after, paces, still_open, snapshot_count, tolerance_percent):
    """{"actual_bytes", "gap_bytes", "explained", "reasons": [{"code", "bytes", "text"}]} of a filesystem.

    ``predicted`` is what all deleted files took, ``actual`` by how much what ordinary users can have has grown.
    ``paces`` are bytes a second by which free space changed by itself right before and right after.
    """
    actual = after["avail_bytes"] - before["avail_bytes"]
    gap = predicted - actual
    reasons = []
    kept_by_root = (after["free_bytes"] - before["free_bytes"]) - actual
    if kept_by_root > 0:
        reasons.append(_reason("reserved", kept_by_root, "it went into the part that is reserved for root"))
    if still_open:
        reasons.append(_reason("open", still_open, "files were opened meanwhile and are freed when they are closed"))
    written = -int(sum(paces) / len(paces) * (after["at"] - before["at"])) if paces else 0
    rest = gap - sum(entry["bytes"] for entry in reasons)
    if abs(written) > _NOISE_BYTES and written * rest > 0:
        share = written if abs(written) < abs(rest) else rest
        word = "others wrote" if written > 0 else "others freed"
        reasons.append(_reason("writers", share, "%s at the same time, by the pace before and after" % word))
        rest -= share
    if snapshot_count and rest > 0:
        reasons.append(_reason("snapshots", rest, "%d snapshots still hold what was deleted" % snapshot_count))
        rest = 0
    small = abs(gap) <= max(_NOISE_BYTES, predicted * tolerance_percent / 100.0)
    unexplained = abs(rest) > max(_NOISE_BYTES, predicted * tolerance_percent / 100.0)
    if not small and unexplained:
        reasons.append(_reason("unknown", rest, "nothing was found that explains it"))
    return {
        "actual_bytes": actual,
        "gap_bytes": gap,
        "explained": small or not unexplained,
        "reasons": [] if small else reasons,
    }


def _reason(code, size, text):
    return {"code": code, "bytes": int(size), "text": text}
