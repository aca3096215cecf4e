# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which engines against malware a host has, whether they run, what they have loaded and what they say of themselves.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _clamav, _vendor_engines
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._command_names import running_names
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._systemd import parse_blocks, parse_timestamp

TIME_LIMIT_S = 12
UNIT_PROPERTIES = (
    "Id,LoadState,ActiveState,SubState,UnitFileState,Result,ConditionResult,ConditionTimestamp,StateChangeTimestamp"
)


def collect(machine, parameters):
    """Return the facts of ``antivirus``.

    Keys: ``engines`` (one mapping each: product, kind av|edr|hids, version, engine_version, running, realtime
    on|off|passive|degraded|unknown, definitions {version, updated_at, age_s, loaded_version} or None for products
    without, platform_supported, tamper_protected, onboarded, licensed, licence_expires, last_quick, last_full,
    exclusions, detections, units; ClamAV adds databases, watched_paths, limits, updater), ``conflicts`` (products that
    an engine itself names as being in its way), ``coverage_reason`` (what was looked for when there is no engine).
    Epoch seconds; None is "not known", never "no".
    """
    units = _units(machine)
    processes = running_names(machine)
    engines = []
    clamav = _clamav.observe(machine, processes, units)
    if clamav:
        engines.append(clamav)
    engines += _vendor_engines.observe(machine, processes, units)
    reason = None
    if not engines:
        names = ["ClamAV"] + [product[0] for product in _vendor_engines.PRODUCTS]
        reason = "none of the known products is installed: " + ", ".join(names)
    conflicts = sorted(set(name for engine in engines for name in engine.get("conflicts") or []))
    return {"engines": engines, "conflicts": conflicts, "coverage_reason": reason}


def _units(machine):
    """systemd's facts of the units of all known products, by name; only those that exist."""
    if not machine.exists("/run/systemd/system"):
        return {}
    names = list(_clamav.UNITS + _vendor_engines.UNITS)
    shown = machine.run(["systemctl", "show", "-p", UNIT_PROPERTIES] + names, source="units")
    if not shown.ok:
        return {}
    try:
        return dict(unit_facts(block) for block in parse_blocks(shown.out) if block.get("LoadState") != "not-found")
    except ValueError as exc:
        machine.note("units", "error", str(exc))
        return {}


def unit_facts(block):
    """(name, facts) of one unit. ``condition`` False: systemd was asked to start it and passed it by in silence."""
    return block.get("Id", ""), {
        "load": block.get("LoadState"),
        "active": block.get("ActiveState"),
        "sub": block.get("SubState"),
        "enabled": block.get("UnitFileState") or None,
        "result": block.get("Result") or None,
        "condition": block.get("ConditionResult") == "yes" if block.get("ConditionTimestamp") else None,
        "since": parse_timestamp(block.get("StateChangeTimestamp", "")),
    }
