# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what Windows says of itself (``system.psm1``) as the document of ``system.py``. Pure."""

from __future__ import annotations

import hashlib
import typing as t
from collections.abc import Mapping

from ansible_collections.keepwell.fleet.plugins.module_utils.probes.system import DMI_MACHINES

_ARCHITECTURES = {"AMD64": "x86_64", "ARM64": "aarch64", "X86": "x86"}
# Win32_ComputerSystem.DomainRole
_ROLES = (
    "workstation",
    "member workstation",
    "server",
    "member server",
    "backup domain controller",
    "primary domain controller",
)
_INSTALL_TYPES = {"Client": "client", "Server": "server", "Server Core": "core", "Nano Server": "nano"}
# Activation ids of Windows 10's Extended Security Updates, years 1 to 3 (learn.microsoft.com, "Enable Extended Security
# Updates"). Those of servers say so in the family of their licence.
_ESU_LICENCES = (
    "f520e45e-7413-4a34-a497-d2765967d094",
    "1043add5-23b1-4afb-9a0f-64343c8f3f8d",
    "83d49986-add3-41d7-ba33-87c7bfb5c0fb",
)
_LICENSED = 1
# Events of the log System: written by a shutdown in good order, and by the start after one that was not.
_SHUT_DOWN = (13, 6006)
_LOST = (41, 6008)
# The start after a loss writes of it within moments of its own first event.
_START_S = 600.0


def read(raw: Mapping[str, t.Any], at: float) -> dict[str, t.Any]:
    """Return the data of the system probe; Windows-only are ``domain`` and, in ``os``, what editions are told by."""
    computer = raw.get("computer") or {}
    name = computer.get("name") or None
    domain = computer.get("domain") if computer.get("joined") else None
    return {
        "os": _release(raw.get("release"), raw.get("os") or {}),
        "kernel": _kernel(raw.get("release"), computer),
        "hostname": name,
        "fqdn": f"{name}.{domain}" if name and domain else name,
        "boot": _boot(raw.get("boot"), raw.get("os") or {}),
        "virtualisation": _virtualisation(computer),
        "hardware": {"vendor": computer.get("manufacturer") or None, "model": computer.get("model") or None},
        "cpu_count": computer.get("cpus"),
        "memory_total_bytes": computer.get("memory_bytes"),
        "pythons": {},
        "init": {"pid1": None, "systemd": False},
        "timezone": raw.get("timezone"),
        "entitlement": _entitlement(raw.get("licences")),
        "domain": {
            "joined": computer.get("joined"),
            "name": domain,
            "role": _ROLES[computer["domain_role"]] if computer.get("domain_role") in range(len(_ROLES)) else None,
        },
    }


def _release(release: Mapping[str, t.Any] | None, system: Mapping[str, t.Any]) -> dict[str, t.Any] | None:
    if release is None:
        return None
    # The registry calls Windows 11 "Windows 10"; the caption is right, and in the language of Windows.
    title = str(release["product_name"] or system.get("caption") or "Windows")
    build = int(release["build"])
    if build >= 22000 and title.startswith("Windows 10"):
        title = title.replace("Windows 10", "Windows 11", 1)
    shown = release.get("display_version") or ""
    # Servers up to 2022 carry a display version that nobody calls them by.
    client = release.get("install_type") == "Client"
    return {
        "id": "windows",
        "version_id": f"10.0.{build}",
        "pretty": f"{title} {shown}".strip() if client else title,
        "codename": None,
        "id_like": [],
        "support_end": None,
        "variant_id": release.get("edition_id") or None,
        "build_id": None,
        "build": f"{build}.{release['ubr']}" if release.get("ubr") is not None else str(build),
        "edition_id": release.get("edition_id") or None,
        "display_version": shown or None,
        "install_type": _INSTALL_TYPES.get(str(release.get("install_type")), release.get("install_type") or None),
        "installed_at": system.get("installed_at"),
    }


def _kernel(release: Mapping[str, t.Any] | None, computer: Mapping[str, t.Any]) -> dict[str, t.Any]:
    running = None
    if release is not None and release.get("ubr") is not None:
        running = f"10.0.{release['build']}.{release['ubr']}"
    word = str(computer.get("architecture") or "")
    return {
        "name": "Windows NT",
        "release": running,
        "version": None,
        "architecture": _ARCHITECTURES.get(word.upper(), word or None),
    }


def _boot(raw: Mapping[str, t.Any] | None, system: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the facts of this boot and how the one before it ended.

    A boot is told by the moment its kernel wrote down as its start (event Kernel-General 12), which nothing changes
    afterwards; LastBootUpTime moves with every correction of the clock.
    """
    starts = sorted((raw or {}).get("starts") or [], key=lambda event: int(event["record"]))
    ends = sorted((raw or {}).get("ends") or [], key=lambda event: int(event["record"]))
    facts: dict[str, t.Any] = {
        "boot_id": boot_id(starts[-1]) if starts else None,
        "booted_at": system.get("booted_at"),
        "uptime_s": system.get("uptime_s"),
        "pid1_started_at": system.get("booted_at"),
        "previous": None,
    }
    if len(starts) > 1:
        before, this = starts[-2], starts[-1]
        facts["previous"] = {"boot_id": boot_id(before), **_end(before, this, ends)}
    return facts


def boot_id(start: Mapping[str, t.Any]) -> str:
    """Return the id of a boot in the form that boot ids have elsewhere."""
    digits = hashlib.sha256(f"{start['started'] or start['at']}".encode()).hexdigest()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))


def _end(before: Mapping[str, t.Any], this: Mapping[str, t.Any], ends: list[Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """Return how the boot between these two starts ended: ``clean`` is None when nothing tells."""
    shut = [end for end in ends if end["id"] in _SHUT_DOWN and before["record"] < end["record"] < this["record"]]
    lost = [
        end
        for end in ends
        if end["id"] in _LOST and end["record"] > this["record"] and end["at"] - this["at"] < _START_S
    ]
    clean = False if lost else True if shut else None
    return {"clean": clean, "ended_at": max((end["at"] for end in shut), default=None)}


def _virtualisation(computer: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return {"kind", "technology", "source"}. A host of Hyper-V sees a hypervisor too, and is a physical machine."""
    names = [str(computer.get(key) or "") for key in ("model", "manufacturer")]
    for name in names:
        for prefix, technology in DMI_MACHINES:
            if name.startswith(prefix):
                return {"kind": "vm", "technology": technology, "source": "Win32_ComputerSystem"}
    if any(names):
        return {"kind": "physical", "technology": "none", "source": "Win32_ComputerSystem"}
    return {"kind": "unknown", "technology": None, "source": None}


def _entitlement(licences: list[Mapping[str, t.Any]] | None) -> dict[str, t.Any] | None:
    """Return {"kind", "active"} of Extended Security Updates; None where none was looked for or found."""
    extended = [
        licence
        for licence in licences or []
        if str(licence["id"]).lower() in _ESU_LICENCES or "ESU" in str(licence["family"])
    ]
    if not extended:
        return None
    return {"kind": "windows_esu", "active": any(licence["status"] == _LICENSED for licence in extended)}
