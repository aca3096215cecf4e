# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what must be the same before and after a change, from two observations. Pure.

The same probes that the checks judge by are compared: nothing is "fine again" here that a check would call broken.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import Difference

PROBES = ("services", "network", "disks", "timesync", "antivirus")
# Checks whose findings patching itself moves: what it leaves pending is in the record, not a new finding.
MOVED_BY_PATCHING = (
    "patching.security_pending",
    "patching.point_release_pending",
    "patching.other_pending",
    "patching.unclassified",
    "patching.reboot_required",
    "patching.services_restart",
)
# Units that come and go by themselves or with a change.
_FLEETING = re.compile(
    r"^(keepwell-.*|run-.*|session-.*|user@.*|user-.*|apt-daily.*|man-db.*|dpkg-db-backup.*|logrotate.*|fstrim.*"
    r"|polkit|colord|upower|rtkit-daemon|realmd|systemd-tmpfiles-.*|systemd-hostnamed|systemd-timedated"
    r"|systemd-localed|packagekit|fwupd.*|e2scrub.*|unattended-upgrades|dnf-makecache|ldconfig|systemd-.*-generator|ssh@.*|sshd@.*)(\.|$)"
)
_WORTH = {"stopped": 1, "degraded": 2, "running": 3, "running, real-time": 4}
_WORSE = {("mount", "read-only"), ("dns", "silent")}
# A unit that something starts when it is needed: its socket, path, timer or bus name is what has to be there.
_ON_DEMAND = "active, on demand"
Facts = dict[str, dict[str, str] | None]


def of(document: Mapping[str, t.Any]) -> Facts:
    """Return kind -> name -> how it is; None for a kind that the host could not tell."""
    services, network, disks, clock, antivirus = (_data(document, name) for name in PROBES)
    return {
        "unit": _units(services, ("active", "reloading", "activating")),
        "failed_unit": _units(services, ("failed",)),
        "listener": _listeners(network),
        "mount": _mounts(disks),
        "route": _routes(network),
        "dns": _resolvers(network),
        "time": _time(clock),
        "antivirus": _engines(antivirus),
    }


def compare(
    before: Facts, after: Facts, probes_before: Mapping[str, t.Any], probes_after: Mapping[str, t.Any]
) -> list[Difference]:
    """Return everything that differs, bad ones first; new units, listeners and mounts are told and no loss."""
    found = []
    for kind, old in before.items():
        new = after.get(kind)
        if old is None:
            continue
        if new is None:
            found.append(Difference(kind=kind, name="all", before="known", after="could not be looked at"))
            continue
        for name in sorted({*old, *new}):
            was, now = old.get(name, ""), new.get(name, "")
            if was != now:
                found.append(Difference(kind=kind, name=name, before=was, after=now, bad=_is_loss(kind, was, now)))
    for name in sorted({*probes_before, *probes_after}):
        first, then = probes_before.get(name) or {}, probes_after.get(name) or {}
        if first.get("ok") and not then.get("ok"):
            found.append(Difference(kind="probe", name=name, before="ok", after=str(then.get("text") or "no answer")))
        elif then.get("ok") and not first.get("ok"):
            found.append(Difference(kind="probe", name=name, before="failed", after="ok", bad=False))
    return sorted(found, key=lambda entry: (not entry.bad, entry.kind, entry.name))


def _is_loss(kind: str, was: str, now: str) -> bool:
    if kind == "failed_unit":
        return bool(now)
    if kind == "unit":
        # A unit that is on its way up is there; one that went from there to nothing is not.
        return not now and was != _ON_DEMAND
    if kind == "time":
        return was == "yes"
    if kind == "antivirus":
        # In the order of what an engine is worth; what is not known is never good.
        return _WORTH.get(now, 0) < _WORTH.get(was, 0)
    # A resolver that answers again, or a filesystem that can be written again, is better than before.
    return not now or (bool(was) and (kind, now) in _WORSE)


def _data(document: Mapping[str, t.Any], probe: str) -> Mapping[str, t.Any] | None:
    record = document["probes"].get(probe)
    return record["data"] if record is not None and record["status"] == "ok" else None


def _units(services: Mapping[str, t.Any] | None, states: tuple[str, ...]) -> dict[str, str] | None:
    if services is None:
        return None
    if services.get("manager") == "scm":
        return _windows_services(services, states)
    found = {name: unit["active"] for name, unit in services["units"].items() if unit.get("active") in states}
    if "active" in states:
        found.update(dict.fromkeys(services.get("running") or [], "active"))
    if states == ("failed",):
        return dict.fromkeys((name for name in found if not _FLEETING.match(name)), "failed")
    known = services["units"]
    return {
        name: _ON_DEMAND if (known.get(name) or {}).get("triggered_by") else "active"
        for name in found
        if name.endswith(".service") and not _FLEETING.match(name) and not _is_passing(known.get(name) or {})
    }


def _windows_services(services: Mapping[str, t.Any], states: tuple[str, ...]) -> dict[str, str]:
    """Services of Windows that it starts by itself; others come and go with whoever asks for them."""
    if states == ("failed",):
        return {name: "failed" for name, unit in services["units"].items() if unit.get("active") == "failed"}
    return {
        # What waits for a trigger, or may end when there is nothing to do, need not be there.
        name: _ON_DEMAND if unit.get("condition") is False else "active"
        for name, unit in services["units"].items()
        if unit.get("active") in states and unit.get("enabled") == "enabled"
    }


def _is_passing(unit: Mapping[str, t.Any]) -> bool:
    """True for a job that is at work just now and then ends by itself."""
    return unit.get("type") == "oneshot" and unit.get("active") == "activating"


def _listeners(network: Mapping[str, t.Any] | None) -> dict[str, str] | None:
    if network is None or network.get("listeners") is None:
        return None
    first, last = network.get("ephemeral_ports") or (32768, 60999)
    return {
        f"{entry['proto']} {entry['address']}:{entry['port']}": "listening"
        for entry in network["listeners"]
        if not first <= entry["port"] <= last and not _is_forwarded(entry)
    }


def _is_forwarded(entry: Mapping[str, t.Any]) -> bool:
    """True for a port that a person's SSH session forwards; it ends with the session."""
    names = {str(name).partition(":")[0] for name in entry.get("processes") or []}
    return (
        bool(names) and names <= {"sshd", "sshd-session"} and entry.get("scope") == "loopback" and entry["port"] != 22
    )


def _mounts(disks: Mapping[str, t.Any] | None) -> dict[str, str] | None:
    if disks is None or disks.get("filesystems") is None:
        return None
    found = {
        str(entry["mount"]): "read-only" if entry.get("read_only") else "mounted" for entry in disks["filesystems"]
    }
    # Mounts from other machines are not touched by the probe, so that a dead one cannot hang it; they are there.
    found.update(dict.fromkeys(disks.get("skipped_network") or [], "mounted"))
    passing = ("/run/", "/tmp/", "/var/lib/containers", "/var/lib/docker")  # noqa: S108
    return {mount: how for mount, how in found.items() if not mount.startswith(passing)}


def _routes(network: Mapping[str, t.Any] | None) -> dict[str, str] | None:
    if network is None or network.get("default_routes") is None:
        return None
    return {
        f"IPv{route['family']} default via {route.get('gateway') or 'the link'} on {route.get('link')}": "there"
        for route in network["default_routes"]
    }


def _resolvers(network: Mapping[str, t.Any] | None) -> dict[str, str] | None:
    if network is None or network.get("resolvers") is None:
        return None
    return {
        str(entry["address"]): "answers"
        if any(query.get("status") == "ok" for query in entry.get("queries") or [])
        else "silent"
        for entry in network["resolvers"]
    }


def _time(clock: Mapping[str, t.Any] | None) -> dict[str, str] | None:
    if clock is None or clock.get("synchronised") is None:
        return None
    return {"synchronised": "yes" if clock["synchronised"] else "no"}


def _engines(antivirus: Mapping[str, t.Any] | None) -> dict[str, str] | None:
    if antivirus is None or antivirus.get("engines") is None:
        return None
    return {str(entry["product"]): _engine(entry) for entry in antivirus["engines"]}


def _engine(entry: Mapping[str, t.Any]) -> str:
    """How an engine is: it must run, and protect in real time where it did."""
    if entry["running"] is None:
        return "not known"
    if not entry["running"]:
        return "stopped"
    return {"on": "running, real-time", "degraded": "degraded"}.get(entry["realtime"], "running")
