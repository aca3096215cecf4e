# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to keepwell.fleet: what disks say of themselves (SMART, NVMe), judged."""

from __future__ import annotations

import shlex
import typing as t
from collections.abc import Iterator, Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    SEVERITY,
    State,
    Verdict,
    View,
    check,
    count_text,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._hardware import (
    HardwarePolicy,
    is_virtual,
    number,
    why_missing,
)

# smartctl(8), EXIT STATUS: bit 3 failing, 4 prefail attribute at its threshold, 5 was there in the past.
_FAILING = 0b1000
_AT_THRESHOLD = 0b10000
_ONCE_AT_THRESHOLD = 0b100000
_EXPECTED = "healthy, without damaged sectors"
_COMMAND_ON_WINDOWS = "Get-PhysicalDisk | Get-StorageReliabilityCounter | Format-List"


def _name(disk: Mapping[str, t.Any]) -> str:
    """Device, with the type where several disks hide behind one device (RAID controllers)."""
    return f"{disk['device']} {disk['type']}" if "," in str(disk.get("type")) else str(disk["device"])


def _damage(disk: Mapping[str, t.Any]) -> float | None:
    """All counted damage of a disk as one number, to see growth; None when it counts none."""
    counters = list((disk.get("damage") or {}).values())
    counters.append((disk.get("nvme") or {}).get("media_errors"))
    known = [value for value in map(number, counters) if value is not None]
    return sum(known) if known else None


def series(view: View) -> Iterator[tuple[str, str, float]]:
    """Points for history: damage and wear by disk."""
    for disk in view.data("hardware").get("smart") or ():
        damage = _damage(disk)
        if damage is not None:
            yield "hardware.disk_damage", _name(disk), damage
        wear = number((disk.get("nvme") or {}).get("percentage_used"))
        if wear is not None:
            yield "hardware.disk_wear_percent", _name(disk), wear


@check(
    "hardware.disk_health",
    title="Disk health",
    advice="Replace a disk that announces its end while its data can still be read; check the backup first.",
    needs=("hardware",),
    thresholds=("wear_watch_percent", "wear_act_percent"),
)
def disk_health(view: View, policy: HardwarePolicy) -> Iterator[Verdict]:
    """One verdict a disk. On a virtual machine without disks of its own the check does not apply."""
    disks = view.data("hardware").get("smart")
    if not disks:
        if is_virtual(view):
            return
        if disks is None:
            reason = why_missing(view, "hardware", view.command("smartctl", "physical disks"))
            advice = view.command(
                "Install smartmontools and let Keepwell become root on this host.",
                "Let Keepwell be an administrator on this host.",
            )
        else:
            reason = f"{view.command('smartctl', 'Windows')} finds no disk; a RAID controller may hide them"
            advice = "Ask the controller's own tool (storcli, perccli, ssacli) and watch that."
        yield Verdict(
            "unknown",
            observed=reason,
            expected=_EXPECTED,
            summary="The health of this host's disks cannot be seen.",
            advice=advice,
            command=view.command("sudo smartctl --scan-open", _COMMAND_ON_WINDOWS),
        )
        return
    verdicts = [_one(view, policy, disk) for disk in disks]
    bad = [verdict for verdict in verdicts if verdict.state != "ok"]
    if view.windows and is_virtual(view):
        # Windows calls a disk that the hypervisor made healthy: that says nothing, a failing one says much.
        yield from (verdict for verdict in bad if verdict.state != "unknown")
    elif bad:
        yield from bad
    else:
        asleep = sum(1 for disk in disks if disk["status"] == "asleep")
        text = f"{count_text(len(disks), 'disk')} healthy" + (
            f", {asleep} of them asleep and not woken" if asleep else ""
        )
        yield Verdict("ok", observed=text, expected=_EXPECTED)


def _one(view: View, policy: HardwarePolicy, disk: Mapping[str, t.Any]) -> Verdict:
    name = _name(disk)
    command = view.command(
        f"sudo smartctl -x -d {shlex.quote(str(disk['type']))} {shlex.quote(str(disk['device']))}", _COMMAND_ON_WINDOWS
    )
    if disk["status"] == "asleep":
        return Verdict("ok", object=name, observed="asleep, not woken", expected=_EXPECTED)
    if disk["status"] != "ok":
        return Verdict(
            "unknown",
            object=name,
            observed=disk.get("message") or f"no answer ({disk['status']})",
            expected=_EXPECTED,
            summary=f"The disk {name} does not tell how it is.",
            advice="Ask the controller's own tool (storcli, perccli, ssacli) and watch that."
            if disk.get("type") == "raid"
            else "Ask it by hand; a disk that no longer answers may be dying.",
            command=command,
        )
    reasons = sorted(_reasons(view, policy, disk), key=lambda pair: -SEVERITY.index(pair[0]))
    if not reasons:
        return Verdict("ok", object=name, observed=f"{disk.get('model') or 'disk'}: healthy", expected=_EXPECTED)
    state = reasons[0][0]
    hours = disk.get("power_on_hours")
    return Verdict(
        state,
        object=name,
        observed="; ".join(text for _state, text in reasons),
        expected=_EXPECTED,
        summary=f"The disk {name} ({disk.get('model') or 'model unknown'}) announces its end."
        if state in ("crit", "act")
        else f"The disk {name} ({disk.get('model') or 'model unknown'}) shows wear or damage.",
        advice="Check the backup now, then replace the disk."
        if state in ("crit", "act")
        else "Keep an eye on it and have a spare at hand; growth means replacement.",
        command=command,
        data={"power_on_hours": hours, "damage": disk.get("damage"), "nvme": disk.get("nvme")},
    )


def _reasons(view: View, policy: HardwarePolicy, disk: Mapping[str, t.Any]) -> Iterator[tuple[State, str]]:
    status = disk.get("exit_status") or 0
    if status & _FAILING or disk.get("passed") is False:
        words = [word for word in disk.get("operational") or () if word not in ("ok", "unknown")]
        yield "crit", "the disk says that it is failing" + (f" ({', '.join(words)})" if words else "")
    elif disk.get("health") == "warning":
        words = [word for word in disk.get("operational") or () if word != "ok"]
        yield "watch", "Windows warns of it" + (f" ({', '.join(words)})" if words else "")
    failing = disk.get("failing_attributes") or []
    if failing or status & _AT_THRESHOLD:
        yield "watch", "at its threshold: " + (", ".join(failing) or "a prefail attribute")
    elif status & _ONCE_AT_THRESHOLD:
        yield "watch", "an attribute was at its threshold in the past"
    counters = {key: value for key, value in (disk.get("damage") or {}).items() if value}
    nvme = disk.get("nvme") or {}
    if nvme.get("media_errors"):
        counters["media_errors"] = nvme["media_errors"]
    if counters:
        text = ", ".join(f"{value} {key.replace('_', ' ')}" for key, value in sorted(counters.items()))
        points = [value for at, value in view.history.series("hardware.disk_damage", _name(disk)) if at < view.now]
        damage = _damage(disk)
        grew = bool(points) and damage is not None and damage > points[-1]
        yield ("act", f"{text}, growing since the last look") if grew else ("watch", text)
    if nvme.get("critical_warning"):
        yield "crit", f"NVMe critical warning {nvme['critical_warning']:#04x}"
    spare, least = number(nvme.get("available_spare")), number(nvme.get("available_spare_threshold"))
    if spare is not None and least is not None and spare <= least:
        yield "crit", f"spare blocks at {spare:.0f} %, threshold {least:.0f} %"
    wear = number(nvme.get("percentage_used"))
    if wear is not None and wear >= policy.wear_watch_percent:
        yield ("act" if wear >= policy.wear_act_percent else "watch"), f"{wear:.0f} % of its rated endurance used"
