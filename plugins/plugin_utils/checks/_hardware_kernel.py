# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to keepwell.fleet: what the kernel complains about, judged by kind and age."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    DAY,
    State,
    Verdict,
    View,
    check,
    count_text,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._hardware import (
    HardwarePolicy,
    machine_kind,
    why_missing,
)

# kind: state, what it means, what to do.
_MEANING: dict[str, tuple[State, str, str]] = {
    "memory_error": ("crit", "The processor or memory reports errors.", "Have the hardware checked and replaced."),
    "filesystem_error": (
        "crit",
        "A filesystem is damaged or had to stop.",
        "Secure the data, check the disk below, then repair the filesystem unmounted.",
    ),
    "raid": ("crit", "A disk was thrown out of an array.", "Replace it and let the array rebuild."),
    "io_error": (
        "act",
        "Reading or writing a disk fails.",
        "Check the backup, then the disk, its cable and its controller.",
    ),
    "lockup": ("act", "A processor was stuck in the kernel.", "Look for a driver, firmware or hypervisor problem."),
    "kernel_bug": ("act", "The kernel met a bug.", "Boot a newer kernel in the next window; report what it was."),
    "table_full": (
        "act",
        "The kernel drops connections because a table is full.",
        "Find who opens so many connections, then raise the limit.",
    ),
    "out_of_memory": (
        "watch",
        "The kernel killed processes for lack of memory.",
        "Find what grew; add memory or limit it.",
    ),
    "hung_task": ("watch", "Processes hang, most often waiting for a disk.", "Look at the storage and its latency."),
    "thermal": ("watch", "Heat slows the processor down.", "Clean fans and filters, look at the room."),
    "pci_error": ("watch", "A PCI device reports transmission errors.", "Reseat or replace the card, update firmware."),
    "disk_failing": ("crit", "A disk predicts its own failure.", "Check the backup now, then replace the disk."),
    "disk_removed": (
        "watch",
        "A disk went away in use, or data could not be written to it.",
        "Have disks on USB ejected first; of any other look at cable and controller. A backup may leave such traces.",
    ),
    "io_retried": (
        "watch",
        "Reads or writes had to be repeated, or a storage device was reset.",
        "Look at the load and at the path to the storage: cable, controller, its driver and firmware, the hypervisor.",
    ),
    "corrected_error": (
        "watch",
        "The processor corrects errors of its own.",
        "Update the firmware; if they go on, have the hardware checked.",
    ),
    "snapshots_lost": (
        "watch",
        "Shadow copies of a volume were lost: previous versions are gone, and a backup may have failed.",
        "Give shadow copies more room or a volume of their own; look at the backup that ran then.",
    ),
    "other": ("watch", "The kernel reports a serious condition.", "Read the message."),
}
# What the same kinds mean where Windows reports them.
_ON_WINDOWS: dict[str, tuple[str, str]] = {
    "filesystem_error": (
        "A file system is damaged, or data could not be written to it.",
        "Secure the data, check the disk below, then repair the volume (chkdsk, Repair-Volume) in a window.",
    ),
    "kernel_bug": (
        "Windows stopped with an error and started again (a blue screen).",
        "Look at the code and the dump: a driver, firmware or hardware; update what it names.",
    ),
    "table_full": (
        "Programs use up the ports for connections to elsewhere.",
        "Find who opens so many connections (Get-NetTCPConnection by OwningProcess).",
    ),
    "out_of_memory": ("Windows ran out of virtual memory.", "Find what grew; add memory or a larger page file."),
}
_COMMAND_ON_WINDOWS = "Get-WinEvent -FilterHashtable @{ LogName = 'System'; Level = 1, 2, 3 } -MaxEvents 100"
# Journal priorities: 0 emergency, 1 alert, 2 critical. An unclassified line counts from here on only.
_SERIOUS = 2


@check(
    "hardware.kernel_errors",
    title="Kernel errors",
    advice="Read the messages; the kernel sees broken hardware first.",
    needs=("hardware",),
    thresholds=("kernel_recent_days",),
)
def kernel_errors(view: View, policy: HardwarePolicy) -> Iterator[Verdict]:
    """One verdict a kind of message that appeared lately. A container has no kernel of its own."""
    if machine_kind(view) == "container":
        return
    log = view.data("hardware").get("kernel_log")
    expected = f"none in {policy.kernel_recent_days:g} days"
    if log is None:
        reasons = [
            f"{source}: {why_missing(view, 'hardware', source)}"
            for source in (("system log",) if view.windows else ("kernel journal", "dmesg"))
            if view.record("hardware").status_of(source) != "ok"
        ]
        yield Verdict(
            "unknown",
            observed=view.command("the kernel's messages could not be read", "the log System could not be read"),
            expected=expected,
            summary=f"Nobody can see whether {view.command('the kernel', 'Windows')} reports broken hardware.",
            advice=view.command(
                "Let Keepwell become root, or add its user to the group systemd-journal.",
                "Let Keepwell be an administrator, or add its user to the group Event Log Readers.",
            ),
            command=view.command("sudo journalctl -k -b -p err --no-pager | tail -50", _COMMAND_ON_WINDOWS),
            data={"reasons": reasons},
        )
        return
    recent = [
        entry
        for entry in log["templates"]
        if entry["last_at"] is None or view.now - entry["last_at"] <= policy.kernel_recent_days * DAY
    ]
    kinds: dict[str, list[dict[str, object]]] = {}
    for entry in recent:
        if entry["kind"] != "other" or entry["priority"] <= _SERIOUS:
            kinds.setdefault(entry["kind"], []).append(entry)
    for kind, entries in sorted(kinds.items()):
        state, summary, advice = _MEANING[kind]
        if view.windows:
            summary, advice = _ON_WINDOWS.get(kind, (summary, advice))
        count = sum(int(str(entry["count"])) for entry in entries)
        starts = [float(str(entry["first_at"])) for entry in entries if entry["first_at"] is not None]
        yield Verdict(
            state,
            object=kind,
            observed=f"{count_text(count, 'message')}, for example: {str(entries[0]['sample'])[:120]}",
            expected=expected,
            summary=summary,
            advice=advice,
            command=view.command("sudo journalctl -k -b -p warning --no-pager | tail -100", _COMMAND_ON_WINDOWS),
            since=min(starts) if starts else None,
            age_basis=view.command("first kernel message", "first event") if starts else "",
            data={"templates": entries[:10], "source": log["source"]},
        )
    if not kinds:
        others = sum(int(entry["count"]) for entry in recent)
        text = f"none of weight, {count_text(others, 'minor message')}" if others else "none"
        yield Verdict(
            "ok", observed=text, expected=expected, data={"source": log["source"], "complete": log["complete"]}
        )
