# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what ClamAV is, has loaded, has on disk and watches.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import calendar
import re
import time

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _clamav_detections

CONFIGURATIONS = ("/etc/clamav/clamd.conf", "/etc/clamd.d/scan.conf", "/etc/clamd.conf", "/usr/local/etc/clamd.conf")
UPDATER_CONFIGURATIONS = ("/etc/clamav/freshclam.conf", "/etc/freshclam.conf", "/usr/local/etc/freshclam.conf")
SOCKETS = ("/run/clamav/clamd.ctl", "/run/clamd.scan/clamd.sock", "/run/clamd/clamd.sock", "/var/run/clamav/clamd.sock")
DATABASE_FOLDER = "/var/lib/clamav"
UPDATER_LOG = "/var/log/clamav/freshclam.log"
# What ClamAV itself takes first when a database lies there in several forms.
DATABASE_FORMS = ("cld", "cvd", "cud")
DATABASES = ("daily", "main", "bytecode")
HEADER_SIZE = 512
LOG_SIZE = 16384
COMMANDS = ("clamd", "clamscan", "clamdscan", "freshclam", "clamonacc")
UNITS = (
    "clamav-daemon.service",
    "clamd@scan.service",
    "clamd.service",
    "clamav-freshclam.service",
    "clamav-freshclam-once.timer",
    "freshclam.service",
    "clamav-clamonacc.service",
    "clamonacc.service",
)
_VERSION = re.compile(r"^ClamAV ([\w.+~-]+)(?:/(\d+)/(.*))?$")
_OUTDATED = re.compile(r"Local version: (\S+) Recommended version: (\S+)")
_REFUSED = re.compile(
    r"\b(?:HTTP|response|code:?|error|returned)\b[^\n]{0,40}\b(403|429)\b"
    r"|\b(403|429)\b[^\n]{0,20}\b(?:Forbidden|Too Many)"
)


def observe(machine, processes, units):
    """Return the engine's facts, or None when ClamAV is not installed.

    ``processes`` are the names of running processes (None: not visible), ``units`` systemd's facts by name.
    """
    if not any(machine.which(name) for name in COMMANDS) and not (processes and "clamd" in processes):
        return None
    settings = read_settings(machine, CONFIGURATIONS) or {}
    loaded = _loaded(machine, settings)
    databases = read_databases(machine, last_of(settings, "DatabaseDirectory") or DATABASE_FOLDER)
    running = True if loaded else ("clamd" in processes if processes is not None else _active(units))
    watched = settings.get("OnAccessIncludePath", []) + settings.get("OnAccessMountPath", [])
    daily = databases.get("daily")
    ledger = _clamav_detections.read_ledger(machine)
    return {
        "product": "ClamAV",
        "kind": "av",
        "version": (loaded or {}).get("engine") or _installed_version(machine),
        "engine_version": (loaded or {}).get("engine"),
        "running": running,
        "realtime": _realtime(processes, watched, running),
        "definitions": {
            "version": str(daily["version"]) if daily else None,
            "updated_at": daily["built_at"] if daily else None,
            "age_s": round(machine.now() - daily["built_at"]) if daily else None,
            "loaded_version": (loaded or {}).get("database"),
        },
        "databases": databases,
        "watched_paths": watched,
        "limits": {
            "max_file_size": last_of(settings, "MaxFileSize"),
            "max_scan_size": last_of(settings, "MaxScanSize"),
            "alert_exceeds_max": last_of(settings, "AlertExceedsMax") in ("yes", "true", "1"),
        },
        "updater": _updater(machine, processes, units),
        "units": dict((name, units[name]) for name in UNITS if name in units),
        "platform_supported": None,
        "tamper_protected": None,
        "onboarded": None,
        "licence_expires": None,
        "last_quick": ((ledger or {}).get("scans") or {}).get("quick"),
        "last_full": ((ledger or {}).get("scans") or {}).get("full"),
        "exclusions": settings.get("ExcludePath", []) + settings.get("OnAccessExcludePath", []),
        "detections": _clamav_detections.detections(machine, last_of(settings, "LogFile"), ledger),
    }


def _realtime(processes, watched, running):
    """clamd alone scans what it is handed; only clamonacc with a path to watch is real-time protection."""
    if processes is None:
        return "unknown"
    return "on" if running and "clamonacc" in processes and watched else "off"


def _active(units):
    states = [units[name]["active"] for name in UNITS[:3] if name in units]
    return any(state == "active" for state in states) if states else None


def parse_configuration(text):
    """Parse clamd.conf or freshclam.conf: setting -> list of values. Raises ValueError naming a line without value."""
    settings = {}
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, _blank, value = line.partition(" ")
        if name == "Example" and not value:
            continue
        if not value.strip():
            raise ValueError("clamd.conf: no value in %r" % line[:120])
        settings.setdefault(name, []).append(value.strip().strip('"'))
    return settings


def read_settings(machine, paths):
    """Settings of the first configuration that exists; None when there is none or it cannot be read."""
    for path in paths:
        text = machine.read(path)
        if text is not None:
            try:
                return parse_configuration(text)
            except ValueError as exc:
                machine.note(path, "error", str(exc))
                return None
    return None


def last_of(settings, name):
    return settings[name][-1] if settings.get(name) else None


def parse_version(text):
    """Parse ``ClamAV 1.4.3/27500/Wed Nov 11 08:26:00 2026``; without a database the answer is ``ClamAV 1.4.3``.

    Returns {engine, database (text or None)}. Raises ValueError for anything else.
    """
    match = _VERSION.match(text.strip().strip("\0"))
    if not match:
        raise ValueError("clamd: cannot read the version %r" % text[:120])
    return {"engine": match.group(1), "database": match.group(2)}


def _loaded(machine, settings):
    """What clamd itself says it has loaded (command ``zVERSION`` on its socket), or None."""
    path = last_of(settings, "LocalSocket")
    reply = None
    for candidate in [path] if path else SOCKETS:
        if machine.exists(candidate):
            reply = machine.unix_exchange(candidate, b"zVERSION\0")
    if reply is None and last_of(settings, "TCPSocket"):
        address = last_of(settings, "TCPAddr") or "127.0.0.1"
        reply = machine.tcp_exchange(address, int(last_of(settings, "TCPSocket")), b"zVERSION\0")
    if not reply:
        return None
    try:
        return parse_version(reply.decode("utf-8", "replace"))
    except ValueError as exc:
        machine.note("clamd", "error", str(exc))
        return None


def _installed_version(machine):
    for command in ("clamd", "clamscan", "freshclam"):
        if machine.which(command):
            shown = machine.run([command, "--version"], source="clamav version")
            try:
                return parse_version(shown.out)["engine"] if shown.ok else None
            except ValueError as exc:
                machine.note("clamav version", "error", str(exc))
                return None
    return None


def parse_header(data):
    """Parse the 512-byte head of a .cvd, .cld or .cud: {version, built_at (epoch), signatures}.

    ``ClamAV-VDB:11 Nov 2026 08-26 +0000:27500:12:90:md5:signature:builder:epoch``; the last field is missing in old
    files. Raises ValueError when it is something else.
    """
    fields = data[:HEADER_SIZE].decode("latin-1").rstrip(" \0\n").split(":")
    if len(fields) < 8 or fields[0] != "ClamAV-VDB" or not (fields[2].isdigit() and fields[3].isdigit()):
        raise ValueError("not a ClamAV database: %r" % data[:60].decode("latin-1"))
    if len(fields) > 8 and fields[8].strip().isdigit():
        built_at = int(fields[8])
    else:
        moment, _blank, zone = fields[1].rpartition(" ")
        if not re.match(r"^[+-]\d{4}$", zone):
            raise ValueError("ClamAV database: cannot read the time %r" % fields[1][:60])
        seconds = (int(zone[1:3]) * 3600 + int(zone[3:]) * 60) * (-1 if zone[0] == "-" else 1)
        built_at = calendar.timegm(time.strptime(moment, "%d %b %Y %H-%M")) - seconds
    return {"version": int(fields[2]), "built_at": built_at, "signatures": int(fields[3])}


def read_databases(machine, folder):
    """Name -> {version, built_at, signatures, form} of the database that ClamAV would load."""
    found = {}
    for name in DATABASES:
        for form in DATABASE_FORMS:
            data = machine.read_bytes("%s/%s.%s" % (folder, name, form), limit=HEADER_SIZE, source="clamav databases")
            if data is None:
                continue
            try:
                found[name] = dict(parse_header(data), form=form)
            except ValueError as exc:
                machine.note("clamav databases", "error", "%s.%s: %s" % (name, form, exc))
            break
    return found


def _updater(machine, processes, units):
    """State of freshclam and the end of its log: {running, timer, last_lines, refused, recommended_version}."""
    settings = read_settings(machine, UPDATER_CONFIGURATIONS) or {}
    log = machine.tail(last_of(settings, "UpdateLogFile") or UPDATER_LOG, LOG_SIZE, source="freshclam log")
    timer = units.get("clamav-freshclam-once.timer", {}).get("active") == "active"
    facts = {"running": None if processes is None else "freshclam" in processes, "timer": timer}
    facts.update(parse_updater_log(log or ""))
    return facts


def parse_updater_log(text):
    """Return {last_lines, refused, recommended_version} of the last update attempt in freshclam's log.

    ``refused`` is 403 or 429 when the server turned the host away in that attempt, None otherwise.
    """
    lines = [
        line.strip() for line in text.splitlines() if line.strip() and not re.match(r"^(?:.{24} -> )?-+$", line.strip())
    ]
    starts = [n for n, line in enumerate(lines) if "update process started" in line]
    attempt = lines[starts[-1] :] if starts else lines[-5:]
    refused = recommended = None
    for line in attempt:
        match = _REFUSED.search(line)
        if match:
            refused = int(match.group(1) or match.group(2))
        match = _OUTDATED.search(line)
        if match:
            recommended = match.group(2)
    return {
        "last_lines": [line[:200] for line in attempt[-4:]],
        "refused": refused,
        "recommended_version": recommended,
    }
