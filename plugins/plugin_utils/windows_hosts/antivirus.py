# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: engines against malware on Windows (``antivirus.psm1``) as ``antivirus.py`` tells of them.

Pure. Microsoft Defender tells of itself; other engines are known by what they told Windows Security (clients have that,
servers do not) and by their services.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.keepwell.fleet.plugins.module_utils.probes._vendor_engines import empty_engine
from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_hosts import defender, security_centre

Raw = Mapping[str, t.Any]
# product, kind, its services; the first one is the engine itself.
PRODUCTS = (
    ("CrowdStrike Falcon", "edr", ("CSFalconService",)),
    ("SentinelOne", "edr", ("SentinelAgent",)),
    ("ESET", "av", ("ekrn",)),
    ("Sophos", "av", ("Sophos Endpoint Defense Service", "SAVService", "Sophos MCS Agent")),
    ("Bitdefender GravityZone", "av", ("EPProtectedService", "EPSecurityService")),
    ("Trend Micro", "av", ("ntrtscan", "ds_agent")),
    ("Trellix Endpoint Security", "av", ("mfetp",)),
    ("Kaspersky", "av", ("AVP", "KAVFS")),
    ("Symantec Endpoint Protection", "av", ("SepMasterService",)),
    ("Webroot", "av", ("WRSVC",)),
    ("Cylance", "av", ("CylanceSvc",)),
    ("Malwarebytes", "av", ("MBAMService",)),
    ("VMware Carbon Black", "edr", ("CbDefense", "CarbonBlack")),
    ("WithSecure", "av", ("fshoster", "FSMA")),
    ("WatchGuard Panda", "av", ("PandaAetherAgent", "NanoServiceMain")),
    ("Huntress", "edr", ("HuntressAgent",)),
    ("Wazuh", "hids", ("WazuhSvc",)),
)
_ACTIVE = {"Running": "active", "Stopped": "inactive"}
_ENABLED = {"Auto": "enabled", "Manual": "manual", "Disabled": "disabled"}


def read(raw: Raw, at: float) -> dict[str, t.Any]:
    """Return the data of the antivirus probe.

    Windows-only keys are ``security_centre`` (None on servers) and ``passive_forced``.
    """
    services: Mapping[str, Raw] = raw.get("services") or {}
    centre = security_centre.entries(raw.get("centre"))
    others = _others(services, centre)
    engines = []
    own = defender.engine(raw, services, units(services, defender.SERVICES), at)
    if own:
        engines.append(defender.beside(own, others))
    engines += others
    reason = None
    if not engines:
        names = [defender.PRODUCT] + [product for product, _kind, _services in PRODUCTS]
        reason = "none of the known products is installed: " + ", ".join(names)
    return {
        "engines": engines,
        "conflicts": [],
        "coverage_reason": reason,
        "security_centre": centre,
        "passive_forced": raw.get("passive_forced") == 1,
    }


def units(services: Mapping[str, Raw], names: tuple[str, ...]) -> dict[str, dict[str, t.Any]]:
    """Facts of these services in the form that units have elsewhere; only those that exist."""
    return {
        name: {
            "load": "loaded",
            "active": _ACTIVE.get(services[name]["state"], "activating"),
            "sub": str(services[name]["state"]).lower(),
            "enabled": _ENABLED.get(services[name]["start"], services[name]["start"]),
            "result": None,
            "condition": None,
            "since": None,
        }
        for name in names
        if name in services
    }


def _others(services: Mapping[str, Raw], centre: list[dict[str, t.Any]] | None) -> list[dict[str, t.Any]]:
    """Engines besides Defender: by their services, and by what is in the Security Center and not stale."""
    told = [entry for entry in centre or [] if not entry["stale"] and not entry["defender"]]
    engines = []
    for product, kind, names in PRODUCTS:
        present = [name for name in names if name in services]
        mine = [entry for entry in told if product.split()[0].casefold() in entry["name"].casefold()]
        told = [entry for entry in told if entry not in mine]
        if not present and not mine:
            continue
        running = any(services[name]["state"] == "Running" for name in present) if present else None
        engine = empty_engine(product, kind, running)
        engine["version"] = next((services[name]["version"] for name in present if services[name].get("version")), None)
        engine["units"] = units(services, names)
        if mine:
            security_centre.apply(engine, mine)
        engines.append(engine)
    for entry in told:
        engine = empty_engine(entry["name"], "av", None)
        engine["units"] = {}
        security_centre.apply(engine, [entry])
        engines.append(engine)
    return engines
