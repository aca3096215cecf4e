"""Probes in which a host's volumes and its last start are told again: disks, pressure, network."""

from __future__ import annotations

import typing as t

from windows_host.registry import Result, probe

if t.TYPE_CHECKING:
    from windows_host.host import WindowsHost

_PROBES = "plugins/module_utils/probes"
_FIXED, _REMOVABLE = 3, 2
# The event Kernel-General 12.
_STARTED = 12


@probe("disks", source=f"{_PROBES}/disks.psm1")
def disks(host: WindowsHost, base: Result) -> Result:
    """Volumes of the host replace those of the golden data that have their letter; others come to it."""
    for volume in host.volumes:
        name = f"{volume.letter}:\\"
        known = next((entry for entry in base["volumes"] if entry["Name"] == name), None)
        if known is None:
            known = {
                "DeviceID": f"\\\\?\\Volume{{{volume.guid}}}\\",
                "Name": name,
                "DirtyBitSet": False,
                "BootVolume": False,
                "SystemVolume": False,
                "Compressed": False,
            }
            base["volumes"].append(known)
            base["partitions"].append({"DiskNumber": 0, "IsReadOnly": False, "AccessPaths": [name, known["DeviceID"]]})
        known |= {
            "DriveType": _FIXED if volume.fixed else _REMOVABLE,
            "FileSystem": volume.file_system,
            "Label": volume.label,
            "Capacity": volume.size,
            "FreeSpace": volume.free,
        }
    return base


@probe("pressure", source=f"{_PROBES}/pressure.psm1")
def pressure(host: WindowsHost, base: Result) -> Result:
    base["system"][0]["LastBootUpTime"] = host.booted_at
    return _since_the_start(host, base)


@probe("network", source=f"{_PROBES}/network.psm1")
def network(host: WindowsHost, base: Result) -> Result:
    return _since_the_start(host, base)


def _since_the_start(host: WindowsHost, base: Result) -> Result:
    """Counters count from the host's own last start."""
    for start in base["boots"]:
        if start["id"] == _STARTED:
            start["at"] = host.booted_at
    return base
