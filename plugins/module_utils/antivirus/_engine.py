# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what ClamAV on this host is at this moment, and the commands by which it works.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _clamav
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._command_names import running_names

_UNITS = {"K": 1024, "M": 1024 * 1024, "G": 1024 * 1024 * 1024}
# clamd's own defaults since 1.0; older ones are smaller, and then its answer says so.
_DEFAULTS = {"MaxFileSize": 100 * 1024 * 1024, "MaxScanSize": 400 * 1024 * 1024}
MDATP = "mdatp"


def look(machine):
    """Facts of the engines: {clamav: {...} or None, mdatp: bool}.

    clamav: installed version, ``scanner`` (clamd when the daemon answers and there is a client, clamscan, or ""),
    ``limits`` of the daemon, ``loaded``, ``databases``, ``fingerprint`` of everything in the folder of the databases,
    ``updater`` (running, its process), ``socket``.
    """
    return {"clamav": clamav(machine), "mdatp": machine.which(MDATP) is not None}


def clamav(machine):
    """See ``look``."""
    if not any(machine.which(name) for name in _clamav.COMMANDS):
        return None
    settings = _clamav.read_settings(machine, _clamav.CONFIGURATIONS) or {}
    socket = address(machine, settings)
    alive = _say(machine, socket, b"zPING\0") == "PONG"
    if alive and machine.which("clamdscan"):
        scanner = "clamd"
    else:
        scanner = "clamscan" if machine.which("clamscan") else ""
    folder = _clamav.last_of(settings, "DatabaseDirectory") or _clamav.DATABASE_FOLDER
    return {
        "scanner": scanner,
        "alive": alive,
        "socket": socket,
        "limits": dict((name, _size(_clamav.last_of(settings, name), size)) for name, size in _DEFAULTS.items()),
        "loaded": loaded(machine, socket),
        "folder": folder,
        "databases": _clamav.read_databases(machine, folder),
        "fingerprint": fingerprint(machine, folder),
        "updater": "freshclam" in (running_names(machine) or ()),
        "log": _clamav.last_of(settings, "LogFile"),
    }


def address(machine, settings):
    """Where clamd listens: a path, "host:port", or "" when that is nowhere known."""
    path = _clamav.last_of(settings, "LocalSocket")
    for candidate in [path] if path else _clamav.SOCKETS:
        if machine.exists(candidate):
            return candidate
    port = _clamav.last_of(settings, "TCPSocket")
    return "%s:%s" % (_clamav.last_of(settings, "TCPAddr") or "127.0.0.1", port) if port else ""


def _say(machine, socket, words):
    """clamd's answer to a command, "" when it gives none."""
    if not socket:
        return ""
    if socket.startswith("/"):
        reply = machine.unix_exchange(socket, words, timeout=5.0)
    else:
        host, _colon, port = socket.rpartition(":")
        reply = machine.tcp_exchange(host, int(port), words, timeout=5.0)
    return (reply or b"").decode("utf-8", "replace").strip("\0\n ")


def loaded(machine, socket):
    """Version of the signatures that clamd works with; None when it does not say."""
    try:
        return _clamav.parse_version(_say(machine, socket, b"zVERSION\0"))["database"]
    except ValueError:
        return None


def reload(machine, socket):
    """Ask clamd to load what is on disk; True when it says that it does."""
    return _say(machine, socket, b"zRELOAD\0") == "RELOADING"


def fingerprint(machine, folder):
    """What lies in the folder of the databases: name -> [size, time]."""
    found = {}
    for name in machine.listdir(folder):
        entry = machine.stat("%s/%s" % (folder, name))
        if entry and entry["kind"] == "file" and name.rpartition(".")[2] not in ("dat", "log", "tmp"):
            found[name] = [entry["size"], entry["mtime"]]
    return found


def _size(text, default):
    """Bytes of a size as ClamAV writes it (100M); 0 there means no limit."""
    text = (text or "").upper()
    if not text:
        return default
    number = text.rstrip("KMG")
    return int(number) * _UNITS.get(text[-1], 1) if number.isdigit() else default


def largest(engine, limits):
    """The size above which a file would be passed by in silence: the smallest of all limits that hold."""
    known = [limits["max_file_bytes"]]
    if engine["scanner"] == "clamd":
        known += engine["limits"].values()
    else:
        known.append(limits["max_scan_bytes"])
    known = [size for size in known if size]
    return min(known) if known else None


def scan_command(engine, limits, follow=False):
    """The command that scans what is added to it. Never one that removes, moves or copies what it finds."""
    if engine["scanner"] == "clamd":
        # The daemon need not be able to read the file: it is handed over open.
        return ["clamdscan", "--fdpass", "--stdout", "--no-summary"]
    argv = ["clamscan", "--stdout", "--no-summary", "--follow-dir-symlinks=0"]
    argv.append("--follow-file-symlinks=%d" % (2 if follow else 0))
    argv += ["--max-filesize=%d" % limits["max_file_bytes"], "--max-scansize=%d" % limits["max_scan_bytes"]]
    return argv
