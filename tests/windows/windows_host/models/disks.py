"""The probe of disks: the host's volumes over golden data."""

from __future__ import annotations

import typing as t

from windows_host.registry import Result, probe

if t.TYPE_CHECKING:
    from windows_host.host import WindowsHost


@probe("disks", source="plugins/module_utils/probes/disks.psm1")
def disks(host: WindowsHost, base: Result) -> Result:
    """What golden data have of a letter is said with the host's own sizes; letters that they lack are added."""
    for volume in host.volumes:
        name = f"{volume.letter}:\\"
        known = next((entry for entry in base["volumes"] if entry["Name"] == name), None)
        if known is None:
            known = {**next(entry for entry in base["volumes"] if entry["BootVolume"]), "BootVolume": False}
            known |= {"Name": name, "DeviceID": f"\\\\?\\Volume{{{volume.guid}}}\\"}
            base["volumes"].append(known)
        known |= {"Label": volume.label, "FileSystem": volume.file_system}
        known |= {"Capacity": volume.size, "FreeSpace": volume.free}
    return base
