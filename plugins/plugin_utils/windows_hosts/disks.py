# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the disks document from the raw facts of a Windows host. Pure."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_hosts._records import (
    Row,
    health,
    listed,
    number,
    operations,
    rows,
)

_LETTER = re.compile(r"^([A-Za-z]):\\$")
_FOLDER = re.compile(r"^[A-Za-z]:\\.")
_PROTECTION = {0: "off", 1: "on"}
_PROVISIONING = {1: "thin", 2: "fixed"}
# Removable media and CDs come and go.
_FIXED, _MEMORY_DISK = 3, 6
_LOCKED = 1
_MEGABYTE = 1024 * 1024
# Win32_ShadowStorage.MaxSpace when there is no limit: the largest number there is.
_UNLIMITED = 2**63 - 1


# What a beat of the watch does not ask for.
_WHOLE = ("bitlocker", "deduplication", "disks", "partitions", "page_files", "shadow_storage", "shadow_copies",
          "storage_pools", "virtual_disks")  # fmt: skip


def room(data: Row, at: float) -> dict[str, t.Any]:
    """Return {"filesystems": as ``read`` has them} from the volumes alone, which is what a beat asks for."""
    return {"filesystems": read({**dict.fromkeys(_WHOLE), **data}, at)["filesystems"]}


def read(data: Row, _at: float) -> dict[str, t.Any]:
    """Return the document of ``disks`` (see probes/disks.py) from what disks.psm1 found.

    A mount point is ``C:\\`` for a drive letter and ``D:\\Data`` for a folder; volumes without one are ``unmounted``.
    Windows' own: ``shadow_storage``, ``storage_pools``, ``virtual_disks`` (None: could not be read), and of each
    filesystem ``label``, ``dirty``, ``boot``, ``system``, ``compressed``, ``bitlocker``, ``dedup``, ``disk_number``.
    """
    if rows(data, "volumes") is None:
        # A host without volumes would have nothing that could be full.
        raise ValueError("the volumes of this host could not be listed")
    locks = {str(row["DeviceID"]): _bitlocker(row) for row in listed(data, "bitlocker")}
    savings = {str(row["VolumeId"]): _dedup(row) for row in listed(data, "deduplication")}
    partitions = _partitions(data)
    filesystems = []
    unmounted = []
    mounts: dict[str, str] = {}
    for volume in listed(data, "volumes"):
        if number(volume.get("DriveType")) not in (_FIXED, _MEMORY_DISK):
            continue
        identity = str(volume["DeviceID"])
        mount = mount_point(str(volume.get("Name") or ""))
        if mount is None:
            unmounted.append(_unmounted(volume))
            continue
        mounts[identity] = mount
        filesystems.append(
            _filesystem(volume, mount, locks.get(identity), savings.get(identity), partitions.get(identity))
        )
    return {
        "filesystems": sorted(filesystems, key=lambda entry: str(entry["mount"])),
        "unmounted": unmounted,
        "skipped_network": [],
        "deleted_open": None,
        "lvm": None,
        "raid": None,
        "zfs": None,
        "btrfs": [],
        "swap": _page_files(data),
        "shadow_storage": _shadow_storage(data, mounts),
        "storage_pools": _pools(data),
        "virtual_disks": _virtual_disks(data),
    }


def mount_point(name: str) -> str | None:
    """``c:\\`` -> ``C:\\``, ``D:\\Data\\`` -> ``D:\\Data``; None for the name of a volume that is mounted nowhere."""
    letter = _LETTER.match(name)
    if letter:
        return f"{letter.group(1).upper()}:\\"
    return name.rstrip("\\") if _FOLDER.match(name) else None


def _filesystem(
    volume: Row, mount: str, bitlocker: Row | None, dedup: Row | None, partition: Row | None
) -> dict[str, t.Any]:
    size, free = number(volume.get("Capacity")), number(volume.get("FreeSpace"))
    status = "ok"
    if not size or free is None:
        # Locked, or without a file system that Windows knows.
        status = "denied" if bitlocker is not None and bitlocker["locked"] else "error"
        size = free = None
    read_only = None if partition is None else partition["read_only"]
    return {
        "mount": mount,
        "source": volume["DeviceID"],
        "fstype": volume.get("FileSystem"),
        "dev": volume["DeviceID"],
        "kind": "memory" if number(volume.get("DriveType")) == _MEMORY_DISK else "disk",
        "read_only": read_only,
        "mount_read_only": read_only,
        "fstab_read_only": None,
        "error_policy": None,
        "status": status,
        "size_bytes": size,
        "used_bytes": None if size is None or free is None else size - free,
        "avail_bytes": free,
        "free_bytes": free,
        "inodes_total": None,
        "inodes_free": None,
        "label": volume.get("Label"),
        "dirty": volume.get("DirtyBitSet"),
        "boot": bool(volume.get("BootVolume")),
        "system": bool(volume.get("SystemVolume")),
        "compressed": bool(volume.get("Compressed")),
        "bitlocker": bitlocker,
        "dedup": dedup,
        "disk_number": None if partition is None else partition["disk_number"],
    }


def _unmounted(volume: Row) -> dict[str, t.Any]:
    return {
        "source": volume["DeviceID"],
        "label": volume.get("Label"),
        "fstype": volume.get("FileSystem"),
        "size_bytes": number(volume.get("Capacity")),
        "free_bytes": number(volume.get("FreeSpace")),
        "dirty": volume.get("DirtyBitSet"),
    }


def _bitlocker(row: Row) -> dict[str, t.Any]:
    protection = number(row.get("ProtectionStatus"))
    return {
        "protection": _PROTECTION.get(-1 if protection is None else protection, "unknown"),
        "locked": number(row.get("LockStatus")) == _LOCKED,
        "encrypted_percent": number(row.get("EncryptionPercentage")),
    }


def _dedup(row: Row) -> dict[str, t.Any]:
    return {"enabled": bool(row.get("Enabled")), "saved_bytes": number(row.get("SavedSpace"))}


def _partitions(data: Row) -> dict[str, Row]:
    """Volume -> its disk, and whether the partition or the disk is read-only. Dynamic disks have no partitions."""
    locked = {number(disk.get("Number")) for disk in listed(data, "disks") if disk.get("IsReadOnly")}
    found: dict[str, Row] = {}
    for partition in listed(data, "partitions"):
        disk = number(partition.get("DiskNumber"))
        facts = {"disk_number": disk, "read_only": bool(partition.get("IsReadOnly")) or disk in locked}
        paths = partition.get("AccessPaths") or ()
        for path in [paths] if isinstance(paths, str) else paths:
            found[str(path)] = facts
    return found


def _page_files(data: Row) -> list[dict[str, t.Any]] | None:
    files = rows(data, "page_files")
    if files is None:
        return None
    return [
        {
            "path": entry["Name"],
            "kind": "file",
            "size_bytes": (number(entry.get("AllocatedBaseSize")) or 0) * _MEGABYTE,
            "used_bytes": (number(entry.get("CurrentUsage")) or 0) * _MEGABYTE,
        }
        for entry in files
    ]


def _shadow_storage(data: Row, mounts: Mapping[str, str]) -> list[dict[str, t.Any]] | None:
    areas = rows(data, "shadow_storage")
    if areas is None:
        return None
    times: dict[str, list[float]] = {}
    for copy in listed(data, "shadow_copies"):
        if copy.get("InstallDate") is not None:
            times.setdefault(str(copy.get("VolumeName")), []).append(float(copy["InstallDate"]))
    found = []
    for area in areas:
        volume, place = str(area.get("Volume.DeviceID")), str(area.get("DiffVolume.DeviceID"))
        most = number(area.get("MaxSpace"))
        taken = sorted(times.get(volume, ()))
        found.append(
            {
                "mount": mounts.get(volume, volume),
                "storage_mount": mounts.get(place, place),
                "used_bytes": number(area.get("UsedSpace")),
                "allocated_bytes": number(area.get("AllocatedSpace")),
                "max_bytes": None if most is None or most >= _UNLIMITED else most,
                "copies": len(taken),
                "oldest": taken[0] if taken else None,
                "newest": taken[-1] if taken else None,
            }
        )
    return found


def _pools(data: Row) -> list[dict[str, t.Any]] | None:
    pools = rows(data, "storage_pools")
    if pools is None:
        return None
    return [
        {
            "name": pool.get("FriendlyName"),
            "id": pool.get("UniqueId"),
            "health": health(pool.get("HealthStatus")),
            "operational": operations(pool.get("OperationalStatus")),
            "read_only": bool(pool.get("IsReadOnly")),
            "size_bytes": number(pool.get("Size")),
            "allocated_bytes": number(pool.get("AllocatedSize")),
        }
        for pool in pools
        # Every Windows has this one: the disks that are in no pool.
        if not pool.get("IsPrimordial")
    ]


def _virtual_disks(data: Row) -> list[dict[str, t.Any]] | None:
    disks = rows(data, "virtual_disks")
    if disks is None:
        return None
    return [
        {
            "name": disk.get("FriendlyName"),
            "id": disk.get("UniqueId"),
            "pool": disk.get("Pool"),
            "health": health(disk.get("HealthStatus")),
            "operational": operations(disk.get("OperationalStatus")),
            "resiliency": disk.get("ResiliencySettingName"),
            "provisioning": _PROVISIONING.get(number(disk.get("ProvisioningType")) or 0, "unknown"),
            "size_bytes": number(disk.get("Size")),
            "footprint_bytes": number(disk.get("FootprintOnPool")),
            "detached_reason": number(disk.get("DetachedReason")),
        }
        for disk in disks
    ]
