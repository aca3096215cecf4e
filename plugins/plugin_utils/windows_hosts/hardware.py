# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the hardware document from the raw facts of a Windows host. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_hosts._records import (
    Row,
    health,
    listed,
    number,
    operations,
    rows,
)

_BUSES = {
    1: "scsi",
    2: "atapi",
    3: "ata",
    6: "fibre channel",
    7: "usb",
    8: "raid",
    9: "iscsi",
    10: "sas",
    11: "sata",
    12: "sd",
    13: "mmc",
    15: "file backed virtual",
    16: "storage spaces",
    17: "nvme",
}
_MEDIA = {3: "hdd", 4: "ssd", 5: "scm"}
# Win32_PhysicalMemoryArray.MemoryErrorCorrection; Use 3 is the system's own memory.
_CORRECTIONS = {3: "none", 4: "parity", 5: "ecc", 6: "multi_bit_ecc", 7: "crc"}
_SYSTEM_MEMORY = 3
_CORRECTING = ("ecc", "multi_bit_ecc", "crc")
_WHEA = "microsoft-windows-whea-logger"
_CORRECTED_MEMORY = 47
_UNCORRECTED_MEMORY = 46
# (provider, event) -> kind, and what it says. Providers are compared in lower case.
_EVENTS: dict[tuple[str, int], tuple[str, str]] = {
    ("disk", 7): ("io_error", "a bad block"),
    ("disk", 11): ("io_error", "an error of the controller"),
    ("disk", 51): ("io_error", "an error while paging"),
    ("disk", 52): ("disk_failing", "the disk predicts its failure"),
    ("disk", 153): ("io_error", "an input or output had to be repeated"),
    ("disk", 154): ("io_error", "an input or output failed because of the hardware"),
    ("disk", 157): ("io_error", "a disk was removed by surprise"),
    ("ntfs", 55): ("filesystem_error", "the structure of a volume is damaged"),
    ("ntfs", 98): ("filesystem_error", "a volume has to be checked"),
    ("ntfs", 140): ("filesystem_error", "data could not be written to a volume"),
    ("refs", 133): ("filesystem_error", "damaged data were found on a volume"),
    ("refs", 134): ("filesystem_error", "metadata could not be written to a volume"),
    ("refs", 135): ("filesystem_error", "data were lost on a volume"),
    ("volsnap", 25): ("snapshots_lost", "all shadow copies of a volume were deleted: their area could not grow"),
    ("volsnap", 36): ("snapshots_lost", "shadow copies of a volume were aborted: their area may not grow"),
    ("storahci", 129): ("io_error", "a device did not answer and was reset"),
    ("stornvme", 11): ("io_error", "an error of the controller"),
    ("stornvme", 129): ("io_error", "a device did not answer and was reset"),
    ("lsi_sas", 11): ("io_error", "an error of the controller"),
    ("lsi_sas", 129): ("io_error", "a device did not answer and was reset"),
    ("iastora", 9): ("io_error", "a device did not answer in time"),
    ("iastora", 11): ("io_error", "an error of the controller"),
    ("iastora", 129): ("io_error", "a device did not answer and was reset"),
    ("iastorac", 9): ("io_error", "a device did not answer in time"),
    ("iastorac", 11): ("io_error", "an error of the controller"),
    ("iastorac", 129): ("io_error", "a device did not answer and was reset"),
    (_WHEA, 1): ("memory_error", "a fatal hardware error"),
    (_WHEA, 17): ("pci_error", "a corrected error of a PCI Express device"),
    (_WHEA, 18): ("memory_error", "a fatal error of a processor"),
    (_WHEA, 19): ("corrected_error", "a corrected error of a processor"),
    (_WHEA, 20): ("memory_error", "a fatal hardware error"),
    (_WHEA, _UNCORRECTED_MEMORY): ("memory_error", "a fatal error of the memory"),
    ("microsoft-windows-wer-systemerrorreporting", 1001): ("kernel_bug", "a stop error, then a restart"),
    ("microsoft-windows-resource-exhaustion-detector", 2004): ("out_of_memory", "virtual memory ran low"),
    ("tcpip", 4227): ("table_full", "a local port was not free for a new connection"),
    ("tcpip", 4231): ("table_full", "no local port was free for a new connection"),
}
# Levels of events (1 critical, 2 error, 3 warning, 4 information) as priorities of the journal.
_PRIORITIES = {1: 2, 2: 3, 3: 4}
_INFORMATION = 4
# NTFS says in the same event that a volume is well.
_TELLS_WELL = ("ntfs", 98)


def read(data: Row, _at: float) -> dict[str, t.Any]:
    """Return the document of ``hardware`` (see probes/hardware.py) from what hardware.psm1 found.

    Windows has no honest thermometer of its own, tells nothing of throttling and of paths to storage: those keys are
    None. ``memory_correction`` says how the memory corrects errors, ``kernel_log`` comes from the System log.
    """
    correction = _correction(data)
    return {
        "memory_controllers": _memory_controllers(data, correction),
        "memory_correction": correction,
        "block_disks": [str(disk.get("DeviceId")) for disk in listed(data, "physical_disks")],
        "smart": _disks(data),
        "throttle_counts": None,
        "temperatures": None,
        "multipath": None,
        "kernel_log": _log(data),
        "ipmi_device": False,
        "ups": None,
    }


def _correction(data: Row) -> str:
    for array in listed(data, "memory_arrays"):
        if number(array.get("Use")) == _SYSTEM_MEMORY:
            return _CORRECTIONS.get(number(array.get("MemoryErrorCorrection")) or 0, "unknown")
    return "unknown"


def _provider(event: Row) -> str:
    name = str(event.get("provider") or "").lower()
    return {"microsoft-windows-ntfs": "ntfs", "microsoft-windows-refs": "refs"}.get(name, name)


def _memory_controllers(data: Row, correction: str) -> list[dict[str, t.Any]] | None:
    """Memory errors of the last days as one controller; None where nothing could count them."""
    events = rows(data, "events")
    if events is None:
        return None
    named = [number(event.get("id")) for event in events if _provider(event) == _WHEA]
    corrected, uncorrected = named.count(_CORRECTED_MEMORY), named.count(_UNCORRECTED_MEMORY)
    if not corrected and not uncorrected and correction not in _CORRECTING:
        return None
    return [
        {
            "name": "WHEA",
            "corrected": corrected,
            "uncorrected": uncorrected,
            "counting_for_s": number(data.get("events_since_s")),
            "windowed": True,
        }
    ]


def _disks(data: Row) -> list[dict[str, t.Any]] | None:
    disks = rows(data, "physical_disks")
    if disks is None:
        return None
    failing = _predicted(data)
    return [_disk(disk, str(disk.get("DeviceId")) in failing) for disk in disks]


def _predicted(data: Row) -> set[str]:
    """Numbers of the disks whose own SMART announces their end. Its name is the device's with ``_0`` behind it."""
    numbers = {str(drive.get("PNPDeviceID")).lower(): str(drive.get("Index")) for drive in listed(data, "drives")}
    found = set()
    for entry in listed(data, "predictions"):
        if entry.get("PredictFailure"):
            name = str(entry.get("InstanceName")).lower().rpartition("_")[0]
            if name in numbers:
                found.add(numbers[name])
    return found


def _disk(disk: Row, predicted: bool) -> dict[str, t.Any]:
    counters: Row = disk.get("Counters") or {}
    bus = _BUSES.get(number(disk.get("BusType")) or 0, "unknown")
    state, words = health(disk.get("HealthStatus")), operations(disk.get("OperationalStatus"))
    bad = state == "unhealthy" or "predictive failure" in words or predicted
    known = {
        "read_errors_uncorrected": number(counters.get("ReadErrorsUncorrected")),
        "write_errors_uncorrected": number(counters.get("WriteErrorsUncorrected")),
    }
    damage = {name: count for name, count in known.items() if count is not None}
    media = _MEDIA.get(number(disk.get("MediaType")) or 0, "unknown")
    wear = number(counters.get("Wear")) if media in ("ssd", "scm") else None
    status, message = "ok", None
    if not bad and state == "unknown":
        status, message = "unreadable", f"Windows does not know its health ({', '.join(words) or 'no status'})"
    elif not bad and bus == "raid" and not damage:
        status, message = "unreadable", "a RAID controller hides the disks behind it"
    return {
        "device": f"disk {disk.get('DeviceId')}",
        "type": bus,
        "status": status,
        "message": message,
        "exit_status": None,
        "model": disk.get("Model") or disk.get("FriendlyName"),
        "size_bytes": number(disk.get("Size")),
        "passed": False if bad else True if state == "healthy" else None,
        "damage": damage or None,
        "failing_attributes": None,
        "nvme": None if wear is None else {"percentage_used": wear},
        "logged_errors": None,
        "temperature_c": number(counters.get("Temperature")) or None,
        "power_on_hours": number(counters.get("PowerOnHours")),
        "health": state,
        "operational": words,
        "media": media,
    }


def _log(data: Row) -> dict[str, t.Any] | None:
    """The kernel's complaints: events of known meaning, one template for each kind of event and thing it is about."""
    events = rows(data, "events")
    if events is None:
        return None
    found: dict[tuple[str, int, str], dict[str, t.Any]] = {}
    counts: dict[tuple[str, int], int] = {}
    for event in sorted(events, key=lambda entry: float(entry.get("at") or 0.0)):
        name, code = _provider(event), number(event.get("id")) or 0
        counts[(name, code)] = counts.get((name, code), 0) + 1
        known = _EVENTS.get((name, code))
        level = number(event.get("level")) or _INFORMATION
        if known is None or ((name, code) == _TELLS_WELL and level >= _INFORMATION):
            continue
        about = _about(event)
        entry = found.setdefault(
            (name, code, about),
            {
                "kind": known[0],
                "template": f"{name} {code}",
                "event": f"{name}/{code}",
                "priority": _PRIORITIES.get(level, 6),
                "count": 0,
                "first_at": event.get("at"),
                "sample": f"{name} {code}: {known[1]}" + (f" ({about})" if about else ""),
            },
        )
        entry["count"] += 1
        entry["last_at"] = event.get("at")
    cap = number(data.get("events_cap")) or 0
    return {
        "source": "event log",
        "messages": sum(entry["count"] for entry in found.values()),
        "templates": sorted(found.values(), key=lambda entry: (-entry["count"], entry["template"])),
        "complete": not cap or all(count < cap for count in counts.values()),
    }


def _about(event: Row) -> str:
    """The device or volume that an event names; "" when it names none."""
    values = event.get("data") or {}
    for name in ("DeviceName", "DriveName", "VolumeName", "VolumeId", "0"):
        text = str(values.get(name) or "")
        if text.startswith(("\\", "C:", "D:")) or (text and name != "0"):
            return " ".join(text.split())[:120]
    return ""
