# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Capacity: is there room, for how long, and does anything stand in the way of writing?"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks import (
    _capacity_growers,
    _capacity_growth,
    _capacity_pools,
    _capacity_shadow,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    State,
    Verdict,
    View,
    check,
    count_text,
    size_text,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._capacity import (
    CapacityPolicy,
    Filesystem,
    avail_percent,
    biggest_command,
    filesystems,
    free_text,
    persisting,
    unanswered,
    used_percent,
)

Policy = CapacityPolicy
__all__ = ["Policy", "series"]
# Importing these modules registers their checks.
PARTS = (_capacity_growth, _capacity_pools, _capacity_shadow)


def series(view: View) -> Iterator[tuple[str, str, float]]:
    """Points for history: used, size, available and inodes by mount point."""
    if "disks" not in view.probes or view.probes["disks"].status != "ok":
        return
    for entry in filesystems(view):
        for metric in ("used_bytes", "size_bytes", "avail_bytes"):
            yield f"disk.{metric}", entry["mount"], float(entry[metric])
        if entry.get("inodes_total"):
            yield "disk.inodes_used", entry["mount"], float(entry["inodes_total"] - entry["inodes_free"])
            yield "disk.inodes_free_percent", entry["mount"], 100.0 * entry["inodes_free"] / entry["inodes_total"]
        yield "disk.avail_percent", entry["mount"], avail_percent(entry)
    yield from _capacity_growers.series(view)


def _level(percent: float, watch: float, crit: float) -> State:
    return "crit" if percent < crit else "watch" if percent < watch else "ok"


def _space_state(view: View, entry: Filesystem, policy: Policy) -> State:
    """Small filesystems go by percent; on large ones percent alone never makes it worse than ``watch``."""
    percent = avail_percent(entry)
    state = _level(percent, policy.avail_watch_percent, policy.avail_crit_percent)
    if entry["size_bytes"] > policy.large_bytes:
        growth = _capacity_growth.daily_growth(view, entry)
        floor = max(policy.floor_bytes, policy.floor_growth_days * (growth or 0.0))
        if entry["avail_bytes"] >= floor:
            state = "watch" if state == "crit" else state
        elif state == "ok":
            state = "watch"
    points = view.history.series("disk.avail_percent", entry["mount"])
    return persisting(state, points, view.now, lambda value: value < policy.avail_watch_percent)


@check(
    "capacity.space",
    title="Free disk space",
    advice="Find what grew before deleting anything, then make room or extend the volume: a full disk stops services.",
    needs=("disks",),
    controls=("CIS 8.3", "ISO A.8.6", "SOC 2 A1.1"),
    thresholds=("avail_watch_percent", "avail_crit_percent", "large_bytes", "floor_bytes", "floor_growth_days"),
)
def space(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge every filesystem by what ordinary users can still write."""
    bad = list(unanswered(view))
    seen = []
    for entry in filesystems(view):
        if entry.get("read_only"):
            continue
        seen.append(entry)
        state = _space_state(view, entry, policy)
        if state != "ok":
            bad.append(
                Verdict(
                    state,
                    object=entry["mount"],
                    observed=free_text(entry),
                    expected=f"at least {policy.avail_watch_percent:g} % free",
                    summary=f"{entry['mount']} has only {size_text(entry['avail_bytes'])} left."
                    + _capacity_growers.sentence(view, entry["mount"])
                    + _capacity_shadow.sentence(view, entry["mount"]),
                    advice="Find what grew, then make room or extend the volume."
                    if entry["kind"] != "memory"
                    else "This filesystem lives in memory: find what filled it; more disk does not help.",
                    command=biggest_command(view, entry["mount"]),
                    data={
                        "avail_percent": round(avail_percent(entry), 2),
                        "size_bytes": entry["size_bytes"],
                        **_capacity_growers.data(view, entry["mount"]),
                    },
                )
            )
    if bad:
        yield from bad
    elif seen:
        fullest = max(seen, key=used_percent)
        yield Verdict(
            "ok",
            observed=f"{count_text(len(seen), 'filesystem')}, "
            f"fullest is {fullest['mount']} at {used_percent(fullest)} %",
            expected=f"at least {policy.avail_watch_percent:g} % free",
        )


@check(
    "capacity.inodes",
    title="Free inodes",
    advice="Without inodes no file can be created, however much space is free: find the folder with the many files.",
    needs=("disks",),
    controls=("ISO A.8.6", "SOC 2 A1.1"),
    thresholds=("inodes_watch_percent", "inodes_crit_percent"),
)
def inodes(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge inodes where the filesystem counts them (btrfs and ZFS do not)."""
    counted = [entry for entry in filesystems(view) if entry.get("inodes_total") and not entry.get("read_only")]
    bad = []
    for entry in counted:
        percent = 100.0 * entry["inodes_free"] / entry["inodes_total"]
        state = _level(percent, policy.inodes_watch_percent, policy.inodes_crit_percent)
        points = view.history.series("disk.inodes_free_percent", entry["mount"])
        state = persisting(state, points, view.now, lambda value: value < policy.inodes_watch_percent)
        if state != "ok":
            bad.append(
                Verdict(
                    state,
                    object=entry["mount"],
                    observed=f"{entry['inodes_free']} inodes free ({percent:.1f} %)",
                    expected=f"at least {policy.inodes_watch_percent:g} % free",
                    summary=f"{entry['mount']} is running out of inodes; soon no file can be created there."
                    + _capacity_growers.sentence(view, entry["mount"], by_files=True),
                    advice="Find the folder with very many small files (mail queue, sessions, caches) and clean it up.",
                    command=f"du -x --inodes -d3 {shlex.quote(entry['mount'])} 2>/dev/null | sort -rn | head -25",
                )
            )
    if bad:
        yield from bad
    elif counted:
        least = min(counted, key=lambda entry: entry["inodes_free"] / entry["inodes_total"])
        share = 100.0 * least["inodes_free"] / least["inodes_total"]
        yield Verdict(
            "ok",
            observed=f"{count_text(len(counted), 'filesystem')}, fewest free on {least['mount']}: {share:.0f} %",
            expected=f"at least {policy.inodes_watch_percent:g} % free",
        )


@check(
    "capacity.read_only",
    title="Write access to filesystems",
    advice="The kernel stops writing after an error on the disk: secure the data, look at the kernel log, then repair.",
    needs=("disks",),
    sources=("/etc/fstab", "partitions", "disks"),
)
def read_only(view: View, policy: Policy) -> Iterator[Verdict]:
    """A filesystem that should be writable but is not: a hard fact, no second sample needed."""
    previous = view.history.previous("disks") or {}
    writable_before = {e["mount"] for e in previous.get("filesystems") or () if not e.get("read_only")}
    count = bad = 0
    for entry in view.data("disks").get("filesystems") or ():
        count += 1
        wanted = entry.get("fstab_read_only")
        if not entry.get("read_only") or wanted is True:
            continue
        if wanted is False or entry["mount"] in writable_before:
            bad += 1
            reason = "/etc/fstab says writable" if wanted is False else "it was writable at the last look"
            yield Verdict(
                "crit",
                object=entry["mount"],
                observed=f"mounted read-only; {reason}",
                expected="writable",
                summary=f"{entry['mount']} can no longer be written"
                + view.command(
                    "; the kernel does that after a disk error.", ": Windows has made the disk or the volume read-only."
                ),
                advice=view.command(
                    "Do not just remount it: read the kernel log, secure the data, check the disk, then repair.",
                    "Find out whether somebody did it (diskpart, a cluster, the controller) before it is undone.",
                ),
                command=view.command(
                    "dmesg -T --level=emerg,alert,crit,err | tail -50",
                    "Get-Disk | Format-Table Number, FriendlyName, HealthStatus, OperationalStatus, IsReadOnly",
                ),
                data={"fstype": entry["fstype"], "source": entry["source"], "error_policy": entry.get("error_policy")},
            )
    if count and not bad:
        yield Verdict(
            "ok", observed=f"{count_text(count, 'filesystem')}, none unexpectedly read-only", expected="writable"
        )


@check(
    "capacity.deleted_open",
    title="Deleted but open files",
    advice="Restart or reload the service that holds them (often a log without reopen); the space is free only then.",
    needs=("disks",),
    thresholds=("deleted_open_watch_bytes", "deleted_open_watch_percent"),
)
def deleted_open(view: View, policy: Policy) -> Iterator[Verdict]:
    """Space that a cleanup cannot bring back while a process keeps the file. Windows deletes no file that is open."""
    if view.windows:
        return
    found = view.data("disks").get("deleted_open")
    expected = f"below {size_text(policy.deleted_open_watch_bytes)} on each filesystem"
    sizes = {entry["mount"]: entry["size_bytes"] for entry in filesystems(view)}
    bad = []
    for mount, held in sorted((found or {}).get("by_mount", {}).items()):
        share = 100.0 * held / sizes[mount] if sizes.get(mount) else 0.0
        if held >= policy.deleted_open_watch_bytes and share >= policy.deleted_open_watch_percent:
            owners = [owner for owner in found["owners"] if owner["mount"] == mount] if found else []
            by = (owners[0]["unit"] or owners[0]["process"]) if owners else "unknown"
            bad.append(
                Verdict(
                    "watch",
                    object=mount,
                    observed=f"{size_text(held)} ({share:.0f} %), most by {by}",
                    expected=expected,
                    summary=f"Deleted files still take {size_text(held)} on {mount}.",
                    advice="Restart or reload the service that holds them, in its window; deleting more does not help.",
                    command="lsof -nP +L1 2>/dev/null | sort -k7 -rn | head -20",
                    data={"owners": owners},
                )
            )
    if bad:
        yield from bad
    elif found is None or not found["complete"]:
        denied = view.record("disks").denied("open files")
        yield Verdict(
            "unknown",
            observed="not all processes could be looked at",
            expected=expected,
            summary="Deleted files may still take space: only part of the processes could be looked at.",
            advice="Give Keepwell root rights (become) for this host." if denied else "Look on the host.",
            command="sudo lsof -nP +L1 | head -20",
        )
    else:
        yield Verdict(
            "ok", observed=f"{size_text(found['bytes'])} in {count_text(found['files'], 'file')}", expected=expected
        )
