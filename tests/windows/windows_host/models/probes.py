"""Probes about which hosts differ little: the system itself, its services, its clock and Defender."""

from __future__ import annotations

import typing as t

from windows_host.registry import ProbeRecord, Result, probe

if t.TYPE_CHECKING:
    from windows_host.host import WindowsHost

_STATES = {"started": "Running", "stopped": "Stopped"}
_STARTS = {"auto": "Auto", "delayed": "Auto", "manual": "Manual", "disabled": "Disabled"}


@probe("system", source="plugins/module_utils/probes/system.psm1")
def system(host: WindowsHost, base: Result) -> Result:
    return {
        **base,
        "release": {
            "build": str(host.version.build),
            "ubr": host.ubr,
            "product_name": host.version.caption.removeprefix("Microsoft "),
            "display_version": host.version.display,
            "edition_id": host.version.edition,
            "install_type": "Server" if host.version.server else "Client",
        },
        "os": {"booted_at": host.booted_at, "uptime_s": host.now() - host.booted_at, "installed_at": None},
        "computer": {
            "name": host.name.upper(), "domain": "WORKGROUP", "joined": False, "domain_role": 2, "architecture": "AMD64",
            "manufacturer": "QEMU", "model": "Standard PC", "cpus": 2, "memory_bytes": 8 << 30,
        },
        "boot": {
            "starts": [{"id": 12, "record": host.boots, "at": host.booted_at, "started": str(host.booted_at)}],
            "ends": [],
        },
        "timezone": "UTC",
        "licences": [],
    }  # fmt: skip


@probe("services", source="plugins/module_utils/probes/services.psm1")
def services(host: WindowsHost, base: Result) -> Result:
    found = {
        service.name: {
            "display": service.display_name,
            "state": _STATES[service.state],
            "start": _STARTS[service.start_mode],
            "delayed": service.start_mode == "delayed",
            "trigger": service.triggers,
            "kind": 16,
            # A service that did not come up says why; one that somebody stopped ended well.
            "exit": 1067 if service.start_fails and service.state == "stopped" else 0,
            "specific": 0,
        }
        for service in host.services.values()
    }
    return {**base, "services": found, "watched": [], "events": [], "tasks": [], "booted_at": host.booted_at}


@probe("timesync", source="plugins/module_utils/probes/timesync.psm1")
def timesync(host: WindowsHost, base: Result) -> Result:
    return {
        **base,
        "services": {"w32time": {"state": "Running", "start": "Auto", "trigger": False}},
        "samples": [
            {
                "address": "192.0.2.1",
                "reachable": True,
                "offset_s": 0.002,
                "stratum": 2,
                "leap": "none",
                "delay_s": 0.01,
            }
        ],
        "type": "NTP",
        "client_enabled": 1,
        "events": [],
        "guest_enabled": 0,
        "local_rtc": True,
    }


@probe("antivirus", source="plugins/module_utils/probes/antivirus.psm1")
def antivirus(host: WindowsHost, base: Result) -> Result:
    defender, now = host.defender, host.now()
    status: Result = {
        "AMRunningMode": defender.mode,
        "AMServiceEnabled": defender.enabled,
        "AntivirusEnabled": defender.enabled,
        "RealTimeProtectionEnabled": defender.real_time,
        "OnAccessProtectionEnabled": defender.real_time,
        "BehaviorMonitorEnabled": True,
        "IoavProtectionEnabled": True,
        "NISEnabled": True,
        "IsTamperProtected": True,
        "AMProductVersion": "4.18.26100.9",
        "AMEngineVersion": "1.1.26100.1",
        "AntivirusSignatureVersion": defender.signature_version,
        "AntivirusSignatureLastUpdated": now - defender.signature_age_h * 3600,
        "ProductStatus": 524288,
        "QuickScanEndTime": None
        if defender.last_quick_scan_age_h is None
        else now - defender.last_quick_scan_age_h * 3600,
        "FullScanEndTime": None
        if defender.last_full_scan_age_h is None
        else now - defender.last_full_scan_age_h * 3600,
    }
    return {
        **base,
        "defender": {"status": status, "preference": {}, "threats": [], "detections": []},
        "passive_forced": 0,
        "onboarded": 0,
        "centre": None,
        "services": {
            "WinDefend": {"state": "Running" if defender.enabled else "Stopped", "start": "Auto", "path_exists": True}
        },
    }


@probe("disks", source="plugins/module_utils/probes/disks.psm1")
def disks(host: WindowsHost, base: Result) -> Result:
    volumes = [volume for volume in host.volumes if volume.fixed]
    return {
        "filesystems": [
            {
                "mount": f"{volume.letter}:\\", "source": f"\\\\?\\Volume{{{volume.guid}}}\\", "fstype": volume.file_system,
                "dev": f"\\\\?\\Volume{{{volume.guid}}}\\", "kind": "disk", "read_only": False, "mount_read_only": False,
                "fstab_read_only": None, "error_policy": None, "status": "ok", "size_bytes": volume.size,
                "avail_bytes": volume.free, "free_bytes": volume.free, "used_bytes": volume.size - volume.free,
                "inodes_total": None, "inodes_free": None, "inodes_used": None, "label": volume.label, "dirty": False,
                "boot": volume.letter == "C", "system": False, "compressed": False, "bitlocker": None, "dedup": None,
                "disk_number": 0,
            }
            for volume in volumes
        ],
        "unmounted": [], "skipped_network": [], "deleted_open": None, "lvm": None, "zfs": None, "raid": None, "btrfs": [],
        "swap": [], "shadow_storage": [], "storage_pools": [], "virtual_disks": [],
        **base,
    }  # fmt: skip


@probe("network", source="plugins/module_utils/probes/network.psm1")
def network(host: WindowsHost, base: Result) -> Result:
    return {
        "links": [], "bonds": [], "counters": {},
        "default_routes": [
            {"family": 4, "gateway": "192.0.2.254", "link": "Ethernet", "metric": 10, "neighbour": "REACHABLE"}
        ],
        "resolvers": [
            {"address": "192.0.2.1", "origin": "Ethernet", "queries": [{"name": "example.com", "status": "ok", "ms": 2.0}]}
        ],
        "listeners": [
            {"proto": "tcp", "address": "0.0.0.0", "port": 5986, "scope": "any", "processes": ["System"]}
        ],
        "ephemeral_ports": [49152, 65535],
        **base,
    }  # fmt: skip


# What these tell of has nothing to do with what is tested here; golden data of a version takes their place.
for _name in ("access", "backups", "certificates", "hardware", "pressure"):

    @probe(_name, source=f"plugins/module_utils/probes/{_name}.psm1")
    def untold(host: WindowsHost, base: Result) -> Result | ProbeRecord:
        return base or ProbeRecord({}, status="absent", detail="The simulated host has nothing to tell of this.")
