# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what ClamAV on this host is at this moment, and the commands by which it works.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import array
import os
import socket
import struct

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _clamav
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._command_names import running_names

_UNITS = {"K": 1024, "M": 1024 * 1024, "G": 1024 * 1024 * 1024}
# clamd's own defaults since 1.0; older ones are smaller, and then its answer says so.
_DEFAULTS = {"MaxFileSize": 100 * 1024 * 1024, "MaxScanSize": 400 * 1024 * 1024}
MDATP = "mdatp"
_SCAN_S = 300.0
_BLOCK = 65536


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
    where = address(machine, settings)
    alive = _say(machine, where, b"zPING\0") == "PONG"
    usable = (("clamd", alive and machine.which("clamdscan")), ("clamscan", machine.which("clamscan")))
    scanner = next((name for name, found in usable if found), "")
    folder = _clamav.last_of(settings, "DatabaseDirectory") or _clamav.DATABASE_FOLDER
    return {
        "scanner": scanner,
        "alive": alive,
        "socket": where,
        "limits": dict((name, _size(_clamav.last_of(settings, name), size)) for name, size in _DEFAULTS.items()),
        "loaded": loaded(machine, where),
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


def _say(machine, where, words):
    """clamd's answer to a command, "" when it gives none."""
    if not where:
        return ""
    if where.startswith("/"):
        reply = machine.unix_exchange(where, words, timeout=5.0)
    else:
        host, _colon, port = where.rpartition(":")
        reply = machine.tcp_exchange(host, int(port), words, timeout=5.0)
    return (reply or b"").decode("utf-8", "replace").strip("\0\n ")


def loaded(machine, where):
    """Version of the signatures that clamd works with; None when it does not say."""
    try:
        return _clamav.parse_version(_say(machine, where, b"zVERSION\0"))["database"]
    except ValueError:
        return None


def reload(machine, where):
    """Ask clamd to load what is on disk; True when it says that it does."""
    return _say(machine, where, b"zRELOAD\0") == "RELOADING"


def fingerprint(machine, folder):
    """What lies in the folder of the databases: name -> head of a database, or [size, time] of another file.

    The same database fetched once more is no other one.
    """
    found = {}
    for name in machine.listdir(folder):
        path, form = "%s/%s" % (folder, name), name.rpartition(".")[2]
        entry = machine.stat(path)
        if not entry or entry["kind"] != "file" or form in ("dat", "log", "tmp"):
            continue
        if form in _clamav.DATABASE_FORMS:
            found[name] = (machine.read_bytes(path, limit=_clamav.HEADER_SIZE) or b"").decode("latin-1")
        else:
            found[name] = [entry["size"], entry["mtime"]]
    return found


def _size(text, default):
    """Bytes of a size as ClamAV writes it (100M); 0 there means no limit."""
    text = (text or "").upper()
    if not text:
        return default
    number = text.rstrip("KMG")
    return int(number) * _UNITS.get(text[-1], 1) if number.isdigit() else default


def scan_open(where, descriptor):
    """clamd's answer about an open file, handed over as it is: by path it could be another one by now (clamd(8))."""
    try:
        if where.startswith("/"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
                channel.settimeout(_SCAN_S)
                channel.connect(where)
                channel.sendall(b"zFILDES\0")
                rights = array.array("i", [descriptor])
                channel.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
                return _all(channel)
        host, _colon, port = where.rpartition(":")
        with socket.create_connection((host, int(port)), _SCAN_S) as channel:
            channel.sendall(b"zINSTREAM\0")
            os.lseek(descriptor, 0, os.SEEK_SET)
            for block in iter(lambda: os.read(descriptor, _BLOCK), b""):
                channel.sendall(struct.pack("!I", len(block)) + block)
            channel.sendall(struct.pack("!I", 0))
            return _all(channel)
    except OSError:
        return b""


def _all(channel):
    """Everything until the other side ends."""
    return b"".join(iter(lambda: channel.recv(4096), b""))


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
