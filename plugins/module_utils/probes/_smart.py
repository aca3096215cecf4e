# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what disks say of their own health (part of the hardware probe).

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import json

# smartctl(8), "-n standby,3": the documented way to tell "asleep" (3) from "cannot be opened" (2).
ASLEEP_RC = 3
# Attributes whose raw value counts damage; the rest is vendor lore. smartmontools' drive database names them.
DAMAGE = {
    5: "reallocated_sectors",
    187: "reported_uncorrectable",
    188: "command_timeouts",
    197: "pending_sectors",
    198: "offline_uncorrectable",
}
_NVME = (
    "critical_warning",
    "available_spare",
    "available_spare_threshold",
    "percentage_used",
    "media_errors",
    "num_err_log_entries",
    "unsafe_shutdowns",
)
_RESERVE_S = 3.0
_VIRTUAL = ("loop", "ram", "zram", "dm-", "md", "sr", "fd", "nbd", "zd", "drbd", "rbd", "bcache")


def block_disks(machine):
    """Names of whole disks the kernel shows, without what is made of other disks or of memory."""
    return [name for name in machine.listdir("/sys/block") if not name.startswith(_VIRTUAL)]


def collect(machine):
    """Health of every disk that smartctl finds, or None when nothing could be asked (noted under smartctl)."""
    if machine.which("smartctl") and not machine.privileged:
        # Without rights the scan finds no disk and says so without any error.
        machine.note("smartctl", "denied", "disks can be asked by root only")
        return None
    scan = machine.run(["smartctl", "--scan-open", "-j"], timeout=5, source="smartctl")
    if not scan.ok:
        return None
    try:
        devices = parse_scan(scan.out)
    except ValueError as exc:
        machine.note("smartctl", "error", str(exc))
        return None
    return [_one(machine, name, kind) for name, kind in devices]


def _one(machine, name, kind):
    source = "smartctl " + name + (" " + kind if "," in kind else "")
    if machine.remaining() < _RESERVE_S:
        machine.note(source, "timeout", "no time left to ask this disk")
        return nothing(name, kind, "timeout")
    argv = ["smartctl", "-j", "-q", "noserial", "-n", "standby,%d" % ASLEEP_RC, "-i", "-H", "-A", "-l", "error"]
    output = machine.run(argv + ["-d", kind, name], timeout=4, accepted=None, source=source)
    if not output.ok:
        return nothing(name, kind, output.status)
    if output.rc == ASLEEP_RC:
        return nothing(name, kind, "asleep")
    try:
        disk = parse_health(output.out, name, kind)
    except ValueError as exc:
        machine.note(source, "error", str(exc))
        return nothing(name, kind, "error")
    if disk["status"] != "ok":
        machine.note(source, "error", disk["message"] or "exit status %d" % disk["exit_status"])
    return disk


def nothing(name, kind, status):
    """The record of a disk that gave no answer: every fact None."""
    return {
        "device": name,
        "type": kind,
        "status": status,
        "message": None,
        "exit_status": None,
        "model": None,
        "size_bytes": None,
        "passed": None,
        "damage": None,
        "failing_attributes": None,
        "nvme": None,
        "logged_errors": None,
        "temperature_c": None,
        "power_on_hours": None,
    }


def parse_scan(text):
    """(device, type) of every disk in ``smartctl --scan-open -j``; raises ValueError when it is no such JSON."""
    try:
        return [(entry["name"], entry["type"]) for entry in json.loads(text).get("devices") or []]
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ValueError("smartctl: not a JSON scan: %r" % text[:120]) from exc


def parse_health(text, name, kind):
    """Parse the JSON of one disk. ``status`` is ``unreadable`` when exit bits 0-2 say that it did not answer.

    ``damage`` holds raw counters by name (see DAMAGE), ``failing_attributes`` the names of attributes at or below
    their threshold now, ``exit_status`` smartctl's bit mask. Raises ValueError when it is no such JSON.
    """
    disk = nothing(name, kind, "ok")
    try:
        document = json.loads(text)
        program = document["smartctl"]
        disk["exit_status"] = int(program["exit_status"])
        messages = [entry["string"] for entry in program.get("messages") or []]
        table = (document.get("ata_smart_attributes") or {}).get("table") or []
        damage = dict((DAMAGE[row["id"]], _raw(row)) for row in table if row["id"] in DAMAGE)
        failing = [row["name"] for row in table if row.get("when_failed") == "now"]
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ValueError("smartctl: not the JSON of a disk: %r" % text[:120]) from exc
    nvme = document.get("nvme_smart_health_information_log")
    summary = (document.get("ata_smart_error_log") or {}).get("summary") or {}
    disk.update(
        {
            "message": "; ".join(messages) or None,
            "model": document.get("model_name") or document.get("scsi_model_name"),
            "size_bytes": (document.get("user_capacity") or {}).get("bytes"),
            "passed": (document.get("smart_status") or {}).get("passed"),
            "damage": damage if table else None,
            "failing_attributes": failing if table else None,
            "nvme": dict((key, nvme.get(key)) for key in _NVME) if nvme else None,
            "logged_errors": summary.get("count"),
            "temperature_c": (document.get("temperature") or {}).get("current"),
            "power_on_hours": (document.get("power_on_time") or {}).get("hours"),
        }
    )
    if "scsi_grown_defect_list" in document:
        disk["damage"] = {"grown_defects": document["scsi_grown_defect_list"]}
    # Bit 2 alone (an optional command was refused) is common behind USB bridges: the rest is still an answer.
    answered = disk["passed"] is not None or table or nvme
    if disk["exit_status"] & 0b011 or (disk["exit_status"] & 0b100 and not answered):
        disk["status"] = "unreadable"
    return disk


def _raw(row):
    """Raw value of an attribute. Command timeouts pack three counters into 48 bits: the lowest 16 are the total."""
    value = int(row["raw"]["value"])
    return value & 0xFFFF if row["id"] == 188 else value
