# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to keepwell.fleet: arrays, volume groups and pools that have lost a disk or its integrity."""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Iterator, Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    DAY,
    State,
    Verdict,
    View,
    check,
    count_text,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._capacity_pools import lvm_hidden
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._hardware import HardwarePolicy, why_missing

_MISMATCH_LEVELS = ("raid4", "raid5", "raid6")
_REBUILDING = ("recovery", "resync", "reshape")


@check(
    "hardware.raid",
    title="Linux software RAID",
    advice="Replace the failed disk at once: a degraded array is one disk away from losing everything.",
    needs=("disks",),
    controls=("ISO A.8.14",),
)
def raid(view: View, policy: HardwarePolicy) -> Iterator[Verdict]:
    """A degraded array is a hard fact, also while it rebuilds. Windows keeps no such arrays."""
    if view.windows:
        return
    arrays = view.data("disks").get("raid")
    expected = "all members working"
    if arrays is None:
        yield Verdict("unknown", observed=why_missing(view, "disks", "/proc/mdstat"), expected=expected)
        return
    bad = [verdict for array in arrays if (verdict := _array(array, expected))]
    if bad:
        yield from bad
    elif arrays:
        yield Verdict("ok", observed=f"{count_text(len(arrays), 'array')} complete", expected=expected)


def _array(array: Mapping[str, t.Any], expected: str) -> Verdict | None:
    failed = [member["device"] for member in array["members"] if member["failed"]]
    missing = (array["total"] or 0) - (array["working"] or 0) if array["total"] is not None else 0
    degraded = max(missing, array.get("degraded") or 0)
    activity = array.get("activity") or {}
    state: State = "crit"
    texts = []
    if array["state"] != "active":
        texts.append("not active")
    if degraded:
        texts.append(f"{degraded} of {array['total'] or '?'} members missing")
    if failed:
        texts.append(f"failed: {', '.join(failed)}")
    if not texts and (array.get("mismatch_count") or 0) > 0 and array["level"] in _MISMATCH_LEVELS:
        # RAID 1 and 10 count mismatches in swap and in blocks that change while they are read: no evidence there.
        state = "act"
        texts.append(f"{array['mismatch_count']} mismatches found by the last check")
    if not texts:
        return None
    if activity.get("kind") in _REBUILDING:
        percent = activity.get("percent")
        texts.append(f"{activity['kind']} " + ("waiting" if percent is None else f"at {percent:g} %"))
    return Verdict(
        state,
        object=array["name"],
        observed=f"{array['level'] or 'array'}: {', '.join(texts)}",
        expected=expected,
        summary=f"The array {array['name']} is not whole.",
        advice="Check the backup, replace the disk, add it to the array; do not reboot before it is rebuilt.",
        command=f"sudo mdadm --detail /dev/{array['name']}; cat /proc/mdstat",
    )


@check(
    "hardware.storage_pools",
    title="Volume groups and pools",
    advice="Replace the missing or failing device while the rest of the pool still holds the data.",
    needs=("disks",),
    sources=("zpool", "zpool status", "btrfs*", "pools of virtual disks"),
    thresholds=("scrub_max_age_days",),
)
def storage_pools(view: View, policy: HardwarePolicy) -> Iterator[Verdict]:
    """LVM that misses a disk, ZFS not ONLINE or not scrubbed, btrfs with device errors, Storage Spaces not healthy."""
    data = view.data("disks")
    expected = "all devices present, no errors"
    bad = [*_lvm(view, expected), *_zfs(view, policy, expected), *_btrfs(view, expected), *_spaces(view, expected)]
    counts = (
        len((data.get("lvm") or {}).get("groups") or ()),
        len(data.get("zfs") or ()),
        len(data.get("btrfs") or ()),
        len(data.get("storage_pools") or ()),
    )
    if bad:
        yield from bad
    elif any(counts):
        yield Verdict("ok", observed=f"{count_text(sum(counts), 'pool')} complete", expected=expected)


def _lvm(view: View, expected: str) -> Iterator[Verdict]:
    lvm = view.data("disks").get("lvm")
    if lvm is None:
        reason = lvm_hidden(view)
        if reason:
            yield Verdict(
                "unknown", object="lvm", observed="LVM could not be read", expected=expected, data={"detail": reason}
            )
        return
    for group in lvm["groups"]:
        if group["vg_missing_pv_count"]:
            yield Verdict(
                "crit",
                object=f"lvm:{group['vg_name']}",
                observed=f"{group['vg_missing_pv_count']} of {group['pv_count']} disks missing",
                expected=expected,
                summary=f"The volume group {group['vg_name']} misses a disk.",
                advice="Bring the disk back or restore; never run vgreduce --removemissing before the data is safe.",
                command="sudo pvs; sudo vgs; lsblk",
            )
    for volume in lvm["volumes"]:
        if volume["lv_health_status"]:
            yield Verdict(
                "crit",
                object=f"lvm:{volume['vg_name']}/{volume['lv_name']}",
                observed=volume["lv_health_status"],
                expected=expected,
                summary=f"The volume {volume['vg_name']}/{volume['lv_name']} is not healthy.",
                advice="Look at the disks below it before writing to it again.",
                command="sudo lvs -a -o +devices,lv_health_status",
            )


def _zfs(view: View, policy: HardwarePolicy, expected: str) -> Iterator[Verdict]:
    pools = view.data("disks").get("zfs")
    if pools is None:
        if view.record("disks").status_of("zpool") not in ("ok", "absent"):
            yield Verdict("unknown", object="zfs", observed=why_missing(view, "disks", "zpool"), expected=expected)
        return
    for pool in pools:
        name = f"zfs:{pool['name']}"
        command = f"sudo zpool status -v {pool['name']}"
        errors = pool.get("errors")
        if pool["health"] != "ONLINE" or (errors and not errors.startswith("No known")):
            yield Verdict(
                "crit",
                object=name,
                observed=f"{pool['health']}; {errors or 'errors not told'}",
                expected=expected,
                summary=f"The ZFS pool {pool['name']} has lost a device or data.",
                advice="Replace the device; restore files that zpool status names.",
                command=command,
            )
            continue
        scrubbed = _scrub_time(pool.get("scan_ended"))
        # A resilver or a scrub that runs right now has no end yet: both read the pool.
        if pool.get("scan") and not pool.get("scan_ended"):
            continue
        if scrubbed is None or view.now - scrubbed > policy.scrub_max_age_days * DAY:
            age = (
                "never or not told"
                if scrubbed is None
                else f"{count_text(int((view.now - scrubbed) // DAY), 'day')} ago"
            )
            yield Verdict(
                "watch",
                object=name,
                observed=f"last scrub {age}",
                expected=f"a scrub every {policy.scrub_max_age_days:g} days",
                summary=f"Nobody has read the whole ZFS pool {pool['name']} lately; hidden damage stays hidden.",
                advice="Enable the monthly scrub timer of the distribution.",
                command=command,
                since=scrubbed,
            )


def _spaces(view: View, expected: str) -> Iterator[Verdict]:
    """Storage pools and virtual disks of Windows."""
    data = view.data("disks")
    command = "Get-StoragePool; Get-VirtualDisk; Get-PhysicalDisk; Get-StorageJob"
    for source in ("storage pools", "virtual disks") if view.windows else ():
        if data.get(source.replace(" ", "_")) is None and view.record("disks").status_of(source) != "absent":
            yield Verdict("unknown", object=source, observed=why_missing(view, "disks", source), expected=expected)
    things = [("storage pool", pool) for pool in data.get("storage_pools") or ()]
    things += [("virtual disk", disk) for disk in data.get("virtual_disks") or ()]
    for kind, thing in things:
        name = f"{kind}:{thing['name']}"
        words = [word for word in thing["operational"] if word != "ok"]
        observed = f"{thing['health']}" + (f" ({', '.join(words)})" if words else "")
        if thing["health"] == "healthy":
            continue
        state: State = "unknown" if thing["health"] == "unknown" else "crit"
        yield Verdict(
            state,
            object=name,
            observed=observed,
            expected=expected,
            summary=f"Windows does not know how the {kind} {thing['name']} is."
            if state == "unknown"
            else f"The {kind} {thing['name']} has lost a disk or its redundancy.",
            advice="Check the backup, replace the disk, let the repair run (Get-StorageJob); do not restart before.",
            command=command,
        )


def _scrub_time(text: str | None) -> float | None:
    """Epoch seconds of the end that zpool prints in the form of ctime(3); probes run with TZ=UTC."""
    try:
        moment = datetime.datetime.strptime(" ".join((text or "").split()) + " +0000", "%a %b %d %H:%M:%S %Y %z")
    except ValueError:
        return None
    return moment.timestamp()


def _btrfs(view: View, expected: str) -> Iterator[Verdict]:
    for entry in view.data("disks").get("btrfs") or ():
        name = f"btrfs:{entry['mount']}"
        missing = (entry["usage"] or {}).get("missing_bytes")
        counts = {device: sum(errors.values()) for device, errors in (entry["devices"] or {}).items()}
        failing = {device: count for device, count in counts.items() if count}
        command = f"sudo btrfs device stats {entry['mount']}; sudo btrfs filesystem show {entry['mount']}"
        if missing:
            yield Verdict(
                "crit",
                object=name,
                observed="a device is missing",
                expected=expected,
                summary=f"btrfs at {entry['mount']} runs without one of its devices.",
                advice="Replace the device with btrfs replace, then scrub.",
                command=command,
            )
        elif failing:
            text = ", ".join(f"{count} errors on {device}" for device, count in sorted(failing.items()))
            yield Verdict(
                "act",
                object=name,
                observed=text,
                expected=expected,
                summary=f"btrfs at {entry['mount']} counts errors of a device.",
                advice="Scrub it, check the disk; reset the counters (-z) only after the cause is gone.",
                command=command,
            )
        elif entry["devices"] is None or entry["usage"] is None:
            yield Verdict("unknown", object=name, observed="its devices could not be read", expected=expected)


@check(
    "hardware.volume_state",
    title="State of volumes",
    advice="Secure the data, then let the volume be checked and repaired in a window (chkdsk /f, Repair-Volume).",
    needs=("disks",),
)
def volume_state(view: View, policy: HardwarePolicy) -> Iterator[Verdict]:
    """Volumes that Windows has marked as damaged: it wants to check them at the next start."""
    if not view.windows:
        return
    data = view.data("disks")
    volumes = [(entry["mount"], entry) for entry in data.get("filesystems") or ()]
    volumes += [(entry["label"] or entry["source"], entry) for entry in data.get("unmounted") or ()]
    damaged = [(name, entry) for name, entry in volumes if entry.get("dirty")]
    for name, _entry in damaged:
        yield Verdict(
            "act",
            object=str(name),
            observed="marked as damaged (dirty bit)",
            expected="not marked",
            summary=f"Windows has marked {name} as damaged; the next start checks it, which may take hours.",
            command=f"fsutil dirty query {name}" if str(name)[1:2] == ":" else "Get-Volume",
        )
    told = [name for name, entry in volumes if entry.get("dirty") is not None]
    if volumes and not told:
        text = "Whether a volume is marked as damaged could not be read."
        yield Verdict("unknown", observed="not read", expected="not marked", summary=text, command="Get-Volume")
    elif volumes and not damaged:
        yield Verdict("ok", observed=f"{count_text(len(volumes), 'volume')}, none damaged", expected="not marked")
