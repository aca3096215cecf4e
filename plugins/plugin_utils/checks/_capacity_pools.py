# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to keepwell.fleet: room in what lies beneath filesystems: LVM thin pools and snapshots, ZFS, btrfs."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    State,
    Verdict,
    View,
    check,
    count_text,
    size_text,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._capacity import CapacityPolicy

_THIN_POOL = "t"
_SNAPSHOTS = "sS"


def _state(percent: float, watch: float, crit: float) -> State:
    return "crit" if percent >= crit else "watch" if percent >= watch else "ok"


def _name(volume: Mapping[str, t.Any]) -> str:
    return f"{volume['vg_name']}/{volume['lv_name']}"


def lvm_hidden(view: View) -> str:
    """Why LVM could not be looked at, or "" when it could or is not there."""
    record = view.record("disks")
    for source in ("lvs", "vgs", "pvs"):
        if record.status_of(source) not in ("ok", "absent"):
            return f"{source}: {record.sources[source].get('detail') or record.status_of(source)}"
    return ""


@check(
    "capacity.thin_pool",
    title="LVM thin pools and snapshots",
    advice="Extend the pool (data and metadata) or remove what is not needed: a full pool stops all its volumes.",
    needs=("disks",),
    controls=("ISO A.8.6", "SOC 2 A1.1"),
    thresholds=("thin_watch_percent", "thin_crit_percent"),
)
def thin_pool(view: View, policy: CapacityPolicy) -> Iterator[Verdict]:
    """A thin pool without data or metadata space stops; a thick snapshot that is full becomes worthless."""
    lvm = view.data("disks").get("lvm")
    expected = f"below {policy.thin_watch_percent:g} %"
    if lvm is None:
        reason = lvm_hidden(view)
        if reason:
            yield Verdict("unknown", observed="LVM could not be read", expected=expected, data={"detail": reason})
        return
    volumes = lvm["volumes"]
    judged = [volume for volume in volumes if volume["lv_attr"][:1] in (_THIN_POOL, *_SNAPSHOTS)]
    bad = []
    for volume in judged:
        pool = volume["lv_attr"][:1] == _THIN_POOL
        shares = [volume.get("data_percent"), volume.get("metadata_percent") if pool else None]
        known = [share for share in shares if share is not None]
        if not known:
            # The fifth attribute is "a" for active; an inactive volume cannot fill up.
            if volume["lv_attr"][4:5] == "a":
                bad.append(Verdict("unknown", object=_name(volume), observed="use not reported", expected=expected))
            continue
        state = _state(max(known), policy.thin_watch_percent, policy.thin_crit_percent)
        if state == "ok":
            continue
        promised = sum(v["lv_size"] or 0 for v in volumes if pool and v.get("pool_lv") == volume["lv_name"])
        texts = [
            f"{word} {share:.0f} %"
            for word, share in zip(("data", "metadata"), shares, strict=True)
            if share is not None
        ]
        bad.append(
            Verdict(
                state,
                object=_name(volume),
                observed=", ".join(texts),
                expected=expected,
                summary=(
                    f"The thin pool {_name(volume)} is nearly full; all its volumes stop when it is."
                    if pool
                    else f"The snapshot {_name(volume)} becomes invalid when it is full."
                ),
                advice="Extend it, run fstrim on its volumes, or remove volumes and snapshots nobody needs.",
                command="lvs -a -o lv_name,vg_name,lv_size,data_percent,metadata_percent,lv_attr",
                data={"overcommit": round(promised / volume["lv_size"], 2)} if promised and volume["lv_size"] else {},
            )
        )
    if bad:
        yield from bad
    elif judged:
        yield Verdict(
            "ok",
            observed=f"{count_text(len(judged), 'pool or snapshot', 'pools or snapshots')} with room",
            expected=expected,
        )


@check(
    "capacity.pools",
    title="Room in storage pools",
    advice="Free or add space: these filesystems slow down or refuse writes before df shows them full.",
    needs=("disks",),
    sources=("zpool", "btrfs*", "storage pools", "virtual disks", "pools of virtual disks"),
    controls=("ISO A.8.6", "SOC 2 A1.1"),
    thresholds=(
        "pool_watch_percent",
        "pool_crit_percent",
        "btrfs_unallocated_min_bytes",
        "btrfs_metadata_watch_percent",
    ),
)
def pools(view: View, policy: CapacityPolicy) -> Iterator[Verdict]:
    """ZFS and Storage Spaces by the use of the pool; btrfs by its metadata, which may run out before its data do."""
    expected = f"below {policy.pool_watch_percent:g} % and room for metadata"
    bad: list[Verdict] = []
    count = 0
    for pool in view.data("disks").get("zfs") or ():
        count += 1
        percent = pool["used_percent"]
        state = "unknown" if percent is None else _state(percent, policy.pool_watch_percent, policy.pool_crit_percent)
        if state != "ok":
            bad.append(
                Verdict(
                    state,
                    object=f"zfs:{pool['name']}",
                    observed="use not reported" if percent is None else f"{percent} % used",
                    expected=f"below {policy.pool_watch_percent:g} %",
                    summary=f"The ZFS pool {pool['name']} is filling up and gets slow.",
                    advice="Remove old snapshots or add disks.",
                    command=f"zfs list -o space -r {pool['name']}",
                )
            )
    for entry in view.data("disks").get("btrfs") or ():
        count += 1
        full = _btrfs(entry, policy)
        if full:
            bad.append(full)
    for verdict in _spaces(view, policy):
        count += 1
        if verdict:
            bad.append(verdict)
    if bad:
        yield from bad
    elif count:
        yield Verdict("ok", observed=f"{count_text(count, 'pool')} with room", expected=expected)


def _spaces(view: View, policy: CapacityPolicy) -> Iterator[Verdict | None]:
    """Pools of Storage Spaces that carry thin disks, which go off line with them; None for each that has room."""
    data = view.data("disks")
    thin = {disk["pool"] for disk in data.get("virtual_disks") or () if disk["provisioning"] == "thin"}
    for pool in data.get("storage_pools") or ():
        if pool["name"] not in thin or not pool["size_bytes"] or pool["allocated_bytes"] is None:
            continue
        percent = 100.0 * pool["allocated_bytes"] / pool["size_bytes"]
        state = _state(percent, policy.pool_watch_percent, policy.pool_crit_percent)
        if state == "ok":
            yield None
            continue
        yield Verdict(
            state,
            object=f"storage pool:{pool['name']}",
            observed=f"{percent:.0f} % given out",
            expected=f"below {policy.pool_watch_percent:g} %",
            summary=f"The storage pool {pool['name']} is filling up; its thin disks go off line when it is full.",
            advice="Add disks to the pool, or remove data and let Optimize-Volume give the room back.",
            command="Get-StoragePool -IsPrimordial $false | Format-Table FriendlyName, Size, AllocatedSize",
        )


def _btrfs(entry: Mapping[str, t.Any], policy: CapacityPolicy) -> Verdict | None:
    usage = entry["usage"]
    name = f"btrfs:{entry['mount']}"
    if usage is None or usage.get("unallocated_bytes") is None:
        return Verdict(
            "unknown", object=name, observed="its allocation could not be read", expected="room for metadata"
        )
    size, used = usage.get("metadata_size_bytes"), usage.get("metadata_used_bytes")
    # Small filesystems have small chunks: a twentieth of the size is enough there.
    least = min(policy.btrfs_unallocated_min_bytes, usage["size_bytes"] / 20)
    if usage["unallocated_bytes"] >= least or not size:
        return None
    share = 100.0 * used / size
    if share < policy.btrfs_metadata_watch_percent:
        return None
    return Verdict(
        "crit",
        object=name,
        observed=f"metadata {share:.0f} % used, {size_text(usage['unallocated_bytes'])} unallocated",
        expected=f"at least {size_text(least)} unallocated",
        summary=f"btrfs at {entry['mount']} is about to refuse writes although df shows free space.",
        advice="Remove snapshots, then balance data chunks (-dusage) in a quiet hour; add a device if that fails.",
        command=f"btrfs filesystem usage {entry['mount']}",
    )
