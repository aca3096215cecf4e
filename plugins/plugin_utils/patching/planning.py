# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: from what is wanted and what the host simulated to the plan. Pure."""

from __future__ import annotations

import fnmatch
import hashlib
import re
import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import View, count_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import canonical
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import (
    Fact,
    Item,
    Move,
    Plan,
    RebootPlan,
    Rollback,
    Withheld,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.options import Options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.wua import planning as wua
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.wua.choosing import MANAGER

# Packages whose update takes effect at the next boot (dnf-plugins-core, needs_restarting.py; Debian's kernels).
_AT_BOOT = re.compile(
    r"^(linux-image-.*|.*-linux-image(-.*)?|kernel(-(core|rt|uek|default|rt-core|uek-core|64k-core|lt|ml))?"
    r"|.*-microcode|microcode_ctl|linux-firmware|glibc|systemd|dbus|dbus-broker|dbus-daemon)$"
)
_KERNEL = re.compile(r"^(linux-image-.*|.*-linux-image(-.*)?|kernel(-.*)?)$")
# Whose restart ends the work of people or of other machines: their owner decides (domain 1.6).
_ASK_FIRST = re.compile(
    r"^(postgresql|mysql|mariadb|mongod|redis|oracle|slapd|rabbitmq|kafka|activemq|nats|elasticsearch|opensearch"
    r"|corosync|pacemaker|ceph|glusterd|drbd|qemu|pve|xen|vmware)",
)
# dnf refuses to go back with these, or leaves a broken system (Red Hat 186763).
_NO_WAY_BACK = re.compile(r"^(dbus(-.*)?|glibc(-.*)?|selinux-policy(-.*)?|libc6|libc-bin|systemd)$")


def build(
    *,
    view: View,
    client: str,
    run_id: str,
    items: Sequence[Item],
    withheld: Sequence[Withheld],
    look: Mapping[str, t.Any],
    preflight: Sequence[Fact],
    doubts: Sequence[str],
    options: Options,
    ring: int,
    ring_reason: str,
    reboot_left: str = "",
) -> Plan:
    """Return the plan of a host. ``look`` is what the host answered: the simulation, space, locks, state.

    ``reboot_left`` is the run whose change of a Windows host had to leave its reboot.
    """
    simulation = look["simulation"]
    moves = sorted(
        (Move(**{key: move.get(key) for key in ("name", "action", "before", "after")}, arch=move.get("arch") or "",
              update_id=move.get("update_id") or "")
         for move in simulation["moves"]),
        key=lambda move: (move.name, move.arch, move.after or "", move.update_id),
    )  # fmt: skip
    data = view.data("packages")
    manager = str(data["manager"])
    units, kept = _services(data, options)
    return Plan(
        run_id=run_id,
        client=client,
        host=view.host,
        made_at=iso(view.now),
        manager=manager,
        policy=options.policy,
        lane="emergency" if options.emergency else "normal",
        items=list(items),
        withheld=list(withheld),
        transaction=moves,
        plan_hash=plan_hash(client, view.host, manager, moves),
        preflight=list(preflight),
        reboot=wua.reboot(data, items, options, reboot_left)
        if manager == MANAGER
        else _reboot(data, items, moves, options),
        services=units,
        services_kept=kept,
        download_bytes=simulation.get("download_bytes"),
        installed_bytes=simulation.get("installed_bytes"),
        rollback=wua.rollback(moves) if manager == MANAGER else rollback(moves, look),
        ring=ring,
        ring_reason=ring_reason,
        doubts=[*doubts, *_left_standing(items, simulation)],
    )


def _left_standing(items: Sequence[Item], simulation: Mapping[str, t.Any]) -> list[str]:
    """What is wanted and would stay as it is although the package manager told of no error: never lost in silence."""
    if simulation["errors"]:
        return []
    moved = {move["name"] for move in simulation["moves"]}
    return [
        f"{item.name} {item.version} is wanted, and the package manager would leave it as it is"
        for item in items
        if item.kind == "package" and item.name not in moved
    ]


def plan_hash(client: str, host: str, manager: str, moves: Sequence[Move]) -> str:
    """Return the hash that an approval is given for: whose host, which package manager, every single move."""
    lines = sorted(
        [move.name, move.arch, move.action, move.before or "", move.after or "", *filter(None, [move.update_id])]
        for move in moves
    )
    return hashlib.sha256(canonical([client, host, manager, lines])).hexdigest()


def idle(plan: Plan) -> str:
    """Return why an empty plan is empty, in one sentence."""
    if not plan.withheld:
        return "Nothing is pending."
    count = count_text(len(plan.withheld), "pending update")
    return f"Nothing to do: {count} left out."


def services(document: Mapping[str, t.Any], options: Options) -> tuple[list[str], dict[str, str]]:
    """Return (units to restart, unit -> why it is left alone) of an observation document."""
    return _services(document["probes"]["packages"]["data"], options)


def _services(data: Mapping[str, t.Any], options: Options) -> tuple[list[str], dict[str, str]]:
    units, kept = [], {}
    for group in data.get("services_restart") or []:
        unit = group.get("unit")
        if not unit:
            continue
        pattern = next((entry for entry in options.never_restart if fnmatch.fnmatchcase(unit, entry)), None)
        if not group.get("restartable"):
            kept[unit] = "never restarted on a running system; takes effect with the next reboot or login"
        elif pattern is not None:
            kept[unit] = f"left alone by patching_never_restart ({pattern})"
        elif _ASK_FIRST.match(unit):
            kept[unit] = "databases, queues, clusters and hypervisors are restarted by their owner"
        else:
            units.append(unit)
    return sorted(set(units)), dict(sorted(kept.items()))


def reboot_due(document: Mapping[str, t.Any]) -> tuple[t.Literal["yes", "no", "unknown"], list[str]]:
    """Return whether a host has to be rebooted, by its own account, and why."""
    record = document["probes"]["packages"]
    if record["status"] != "ok":
        return "unknown", [f"the packages could not be looked at: {record.get('detail') or record['status']}"]
    reboot = record["data"]["reboot"]
    pinned = _pinned(record["data"])
    if (
        pinned
        and reboot["required"] == "yes"
        and all(reason["kind"] == "kernel" for reason in reboot["reasons"] if reason["strength"] == "strong")
    ):
        return "unknown", [*(str(reason["detail"]) for reason in reboot["reasons"]), pinned]
    if reboot["required"] == "yes" and reboot["strength"] != "strong":
        return "unknown", [f"{reason['detail']} (weak evidence)" for reason in reboot["reasons"]]
    return reboot["required"], [str(reason["detail"]) for reason in reboot["reasons"]]


def _pinned(data: Mapping[str, t.Any]) -> str:
    """Return why a reboot brings no newer kernel; empty when nothing is known against it."""
    kernel = data.get("kernel") or {}
    default = kernel.get("default_boot") or {}
    release = default.get("release")
    if release is None or kernel.get("container") is not None or release != kernel.get("running"):
        return ""
    if kernel.get("newest") in (None, release):
        return ""
    return f"a reboot will not help: {default['source']} starts the running kernel {release} again"


def old_kernel(document: Mapping[str, t.Any]) -> str:
    """Return a sentence when a host does not run the newest kernel that is installed on it, else an empty text."""
    record = document["probes"]["packages"]
    kernel = record["data"]["kernel"] if record["status"] == "ok" else {}
    newest, running = kernel.get("newest"), kernel.get("running")
    if kernel.get("container") is not None or not newest or not running or newest == running:
        return ""
    return f"it runs {running}, and {newest} is installed"


def _reboot(data: Mapping[str, t.Any], items: Sequence[Item], moves: Sequence[Move], options: Options) -> RebootPlan:
    manager = str(data["manager"])
    due = data["reboot"]["required"]
    proven = due == "yes" and data["reboot"]["strength"] == "strong"
    pending = [f"{reason['detail']} (already pending)" for reason in data["reboot"]["reasons"]]
    reasons = pending if proven else []
    flagged = {update["name"] for update in data["pending"] or [] if update.get("needs_reboot")}
    reasons += [f"{item.name} asks for it" for item in items if item.name in flagged]
    known = {item.name for item in items} & flagged
    reasons += [
        f"{move.name} takes effect at boot"
        for move in moves
        if move.name not in known
        and move.action not in ("remove", "retire")
        and _AT_BOOT.match(move.name)
        and not (manager == "apt" and move.name == "systemd")
    ]
    expected: t.Literal["yes", "no", "unknown"] = "yes" if reasons else "no"
    if not reasons and (due == "yes" or (moves and due == "unknown")):
        # Weak evidence is not a reason to reboot, and none to say that there is none.
        expected, reasons = "unknown", pending
    text = ""
    if expected == "yes":
        text = (
            "the host is rebooted after the packages, inside the window"
            if options.reboot == "when_required"
            else "left to a person: patching_reboot is 'never'"
        )
        pinned = _pinned(data)
        text += f"; for the kernel {pinned}" if pinned else ""
    return RebootPlan(expected=expected, reasons=list(dict.fromkeys(reasons)), text=text)


def rollback(moves: Sequence[Move], look: Mapping[str, t.Any]) -> Rollback:
    """Return what could be taken back, by the means of the package manager and what the host says it can still get."""
    if not moves:
        return Rollback(possible="yes", text="Nothing would be changed.")
    offered = look.get("offered_before")
    stuck, kernels = [], []
    for move in moves:
        key = f"{move.name}:{move.arch}" if move.arch else move.name
        if _KERNEL.match(move.name) and move.action == "install":
            kernels.append(move.name)
        elif _NO_WAY_BACK.match(move.name):
            stuck.append(f"{move.name}: its makers do not support going back")
        elif move.action == "install":
            continue
        elif offered is not None and key not in offered and move.name not in offered:
            stuck.append(f"{move.name}: {move.before} is neither on the host nor offered any more")
    means = "kept_packages"
    if kernels:
        means += "+previous_kernel"
    caveat = "Configuration and databases that a new version has converted do not go back with it."
    if stuck and len(stuck) == len(moves):
        return Rollback(possible="no", means="", text=f"Nothing can be taken back. {caveat}", not_possible=stuck)
    if offered is None:
        text = f"Old packages are kept before anything is changed, as far as they can still be had. {caveat}"
        return Rollback(possible="partly", means=means, text=text, not_possible=stuck)
    text = f"{'All' if not stuck else 'Some'} packages can go back ({means.replace('_', ' ')}). {caveat}"
    return Rollback(possible="partly" if stuck else "yes", means=means, text=text, not_possible=stuck)
