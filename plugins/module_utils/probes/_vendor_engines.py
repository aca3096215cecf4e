# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: Defender for Endpoint, CrowdStrike Falcon, and the presence and state of other products.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import calendar
import json
import re
import time

FALCONCTL = "/opt/CrowdStrike/falconctl"
# product, kind (av, edr, hids), folder or command that shows it is installed, units, names of its processes
PRODUCTS = (
    ("Microsoft Defender for Endpoint", "av", "/opt/microsoft/mdatp", ("mdatp.service",), ("wdavdaemon",)),
    ("CrowdStrike Falcon", "edr", "/opt/CrowdStrike", ("falcon-sensor.service",), ("falcon-sensor",)),
    ("SentinelOne", "edr", "/opt/sentinelone", ("sentinelone.service",), ("s1-agent", "sentinelone-age")),
    ("Sophos", "av", "/opt/sophos-spl", ("sophos-spl.service",), ("sophos_watchdog", "av", "soapd")),
    ("Sophos Anti-Virus (legacy)", "av", "/opt/sophos-av", ("sav-protect.service",), ("savd", "savscand")),
    ("ESET Server Security", "av", "/opt/eset/efs", ("efs.service",), ("oaeventd",)),
    ("ESET Endpoint Antivirus", "av", "/opt/eset/eea", ("eea.service",), ("oaeventd",)),
    ("ESET File Security (legacy)", "av", "/opt/eset/esets", ("esets.service",), ("esets_daemon",)),
    ("Bitdefender GravityZone", "av", "/opt/bitdefender-security-tools", ("bdsec.service",), ("bdsecd", "epagd")),
    ("Trend Micro Deep Security", "av", "/opt/ds_agent", ("ds_agent.service",), ("ds_am", "ds_agent")),
    ("Trellix Endpoint Security", "av", "/opt/McAfee/ens/tp", ("mfetpd.service",), ("mfetpd",)),
    ("Kaspersky Endpoint Security", "av", "/opt/kaspersky/kesl", ("kesl.service", "kesl-supervisor.service"),
     ("kesl", "klnagent", "wdserver")),
    ("Symantec Endpoint Protection", "av", "/opt/Symantec", ("smcd.service", "rtvscand.service"), ("rtvscand", "smcd")),
    ("Wazuh", "hids", "/var/ossec", ("wazuh-agent.service", "wazuh-manager.service"), ("wazuh-agentd",)),
)  # fmt: skip
# Without these nothing can be said of Defender's health.
HEALTH_FIELDS = ("healthy", "licensed", "org_id", "real_time_protection_enabled", "definitions_version")
UNITS = tuple(unit for product in PRODUCTS for unit in product[3])
_TEXT_FIELD = re.compile(r"^\s*([a-z_]+)\s*:\s?(.*)$")
_ON = ("true", "enabled", "1")


def observe(machine, processes, units):
    """Return the facts of every product that is installed or running, in the order of PRODUCTS."""
    found = []
    for product, kind, folder, product_units, product_processes in PRODUCTS:
        known = [units[name] for name in product_units if name in units]
        alive = [name for name in product_processes if name in (processes or ())]
        # Short process names prove nothing alone: the product's own folder or unit must be there.
        if not machine.exists(folder) and not known:
            continue
        if processes is None and not known:
            running = None
        else:
            running = bool(alive) or any(unit["active"] == "active" for unit in known)
        engine = empty_engine(product, kind, running)
        engine["units"] = dict((name, units[name]) for name in product_units if name in units)
        if folder == "/opt/microsoft/mdatp":
            engine.update(_defender(machine))
        elif folder == "/opt/CrowdStrike":
            engine.update(_falcon(machine))
        found.append(engine)
    return found


def empty_engine(product, kind, running):
    """An engine of which only presence and state are known. A stopped product protects nobody in real time."""
    return {
        "product": product,
        "kind": kind,
        "version": None,
        "engine_version": None,
        "running": running,
        "realtime": "off" if running is False else "unknown",
        "definitions": None,
        "degraded_reason": None,
        "health_issues": None,
        "platform_supported": None,
        "tamper_protected": None,
        "onboarded": None,
        "licensed": None,
        "licence_expires": None,
        "last_quick": None,
        "last_full": None,
        "exclusions": None,
        "detections": None,
        "conflicts": [],
    }


def parse_health(text):
    """Parse ``mdatp health`` as JSON or as ``name : value`` lines into name (snake_case) -> text, number, bool or list.

    JSON wraps values ({"$type": "upToDate"}, {"value": true}); names are camelCase there. Raises ValueError.
    """
    if text.lstrip().startswith("{"):
        try:
            entries = json.loads(text)
        except ValueError:
            raise ValueError("mdatp health: not JSON: %r" % text[:120]) from None
        return dict((_snake(name), _plain(value)) for name, value in entries.items())
    values = {}
    for line in text.splitlines():
        if not line.strip():
            continue
        match = _TEXT_FIELD.match(line)
        if not match:
            # Newer versions print warnings above the table.
            if not values and not line.startswith(" "):
                continue
            raise ValueError("mdatp health: cannot read %r" % line[:120])
        values[match.group(1)] = _from_text(match.group(2))
    if not values:
        raise ValueError("mdatp health: nothing to read in %r" % text[:120])
    return values


def _snake(name):
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def _plain(value):
    if isinstance(value, dict):
        inner = value.get("value", value.get("$type"))
        return _snake(inner) if isinstance(inner, str) and "value" not in value else inner
    return value


def _from_text(text):
    text = re.sub(r"\s*\[managed\]$", "", text.strip())
    if text.startswith("[") and text.endswith("]"):
        return [word.strip().strip('"') for word in text[1:-1].split(",") if word.strip()]
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.isdigit() else text.strip('"')


def parse_moment(value):
    """Epoch seconds of a time that ``mdatp`` gives: milliseconds since 1970, or ``Nov 20, 2026 at 08:50:05 PM``.

    None for "unavailable". Raises ValueError for anything else.
    """
    if value in (None, "", "unavailable", "unknown", 0, "0"):
        return None
    text = str(value)
    if text.isdigit():
        return int(text) / 1000.0 if int(text) > 1e11 else float(text)
    try:
        return float(calendar.timegm(time.strptime(text, "%b %d, %Y at %I:%M:%S %p")))
    except ValueError:
        raise ValueError("mdatp: cannot read the time %r" % text[:60]) from None


def _defender(machine):
    # Older versions refuse this form, which is no failure: all they tell is in the other.
    shown = machine.run(["mdatp", "health", "--output", "json"], source="mdatp", timeout=4.0, accepted=None)
    if not shown.ok or shown.rc:
        shown = machine.run(["mdatp", "health"], source="mdatp", timeout=4.0)
    if not shown.ok:
        return {}
    try:
        health = parse_health(shown.out)
    except ValueError as exc:
        machine.note("mdatp", "error", str(exc))
        health = {}
    try:
        health.update(_missing_fields(machine, health))
        return defender_facts(health, machine.now()) if health else {}
    except ValueError as exc:
        machine.note("mdatp", "error", str(exc))
        return {}


def _missing_fields(machine, health):
    """What the whole answer did not tell, asked for field by field: that form is the same in all versions."""
    missing = [name for name in HEALTH_FIELDS if name not in health]
    requests = [
        {"argv": ["mdatp", "health", "--field", name], "source": "mdatp fields", "timeout": 4.0} for name in missing
    ]
    answers = zip(missing, machine.run_all(requests))  # noqa: B905 - Python 3.6 has no strict
    return dict((name, _from_text(shown.out)) for name, shown in answers if shown.ok and shown.out.strip())


def defender_facts(health, now):
    """Translate parsed health into an engine's facts; the organisation's id itself is not kept."""
    minutes = health.get("definitions_updated_minutes_ago")
    updated_at = parse_moment(health.get("definitions_updated"))
    if isinstance(minutes, (int, str)) and str(minutes).isdigit():
        updated_at = now - int(minutes) * 60
    passive = health.get("passive_mode_enabled") is True
    real_time = health.get("real_time_protection_enabled")
    word = {True: "on", False: "off"}.get(real_time, "unknown")
    if real_time is True and health.get("real_time_protection_available") is False:
        word = "off"
    issues = health.get("health_issues")
    organisation = health.get("org_id")
    subsystem = health.get("engine_load_status")
    return {
        "version": health.get("app_version") or None,
        "engine_version": health.get("engine_version") or None,
        "realtime": "passive" if passive else word,
        "definitions": {
            "version": health.get("definitions_version") or None,
            "updated_at": updated_at,
            "age_s": None if updated_at is None else round(now - updated_at),
            "loaded_version": None,
            "status": health.get("definitions_status"),
        },
        "healthy": health.get("healthy") if isinstance(health.get("healthy"), bool) else None,
        "health_issues": issues if isinstance(issues, list) else None,
        "engine_load_status": subsystem,
        "licensed": health.get("licensed") if isinstance(health.get("licensed"), bool) else None,
        "licence_expires": parse_moment(health.get("product_expiration")),
        "onboarded": None if organisation is None else organisation not in ("", "unavailable"),
        "tamper_protected": _tamper(health.get("tamper_protection")),
        "conflicts": [str(name) for name in health.get("conflicting_applications") or []],
    }


def _tamper(value):
    """``block`` protects; ``audit`` and ``disabled`` do not."""
    return None if value is None else str(value).lower() in ("block",) + _ON


def parse_falcon(text):
    """Parse ``falconctl -g``: {onboarded, version, rfm (True: reduced functionality), rfm_reason}.

    The forms differ by version (``rfm-state=false.``, ``version = 7.20.0-17306.``, ``aid is not set``).
    Raises ValueError when the state of reduced functionality is not in it.
    """
    state = re.search(r"rfm-state\s*(?:=\s*\"?(true|false)|is not set)", text)
    if not state:
        raise ValueError("falconctl: no rfm-state in %r" % text[:120])
    version = re.search(r"version\s*=\s*([0-9][0-9.-]*[0-9])", text)
    reason = re.search(r"rfm-reason\s*=\s*([^,\n]*?)\.?\s*(?:,|$)", text, re.MULTILINE)
    identity = re.search(r"\baid\s*(=|is not set)", text)
    words = reason.group(1).strip() if reason else None
    return {
        "onboarded": None if identity is None else identity.group(1) == "=",
        "version": version.group(1) if version else None,
        "rfm": None if state.group(1) is None else state.group(1) == "true",
        "rfm_reason": None if words in (None, "", "None") else words,
    }


def _falcon(machine):
    arguments = [FALCONCTL, "-g", "--aid", "--version", "--rfm-state", "--rfm-reason"]
    shown = machine.run(arguments, source="falconctl", timeout=4.0)
    if not shown.ok:
        return {}
    try:
        facts = parse_falcon(shown.out)
    except ValueError as exc:
        machine.note("falconctl", "error", str(exc))
        return {}
    result = {"version": facts["version"], "onboarded": facts["onboarded"]}
    if facts["rfm"]:
        result["realtime"] = "degraded"
        result["degraded_reason"] = "reduced functionality mode: %s" % (facts["rfm_reason"] or "no reason given")
    elif facts["rfm"] is False:
        result["realtime"] = "on"
    return result
