# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: who listens on which address, from ``ss`` or, without it, from /proc/net.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import binascii
import re
import socket
import struct

LISTENER_CAP = 200
WILDCARDS = ("0.0.0.0", "::", "*")  # noqa: S104 - compared, never bound to
_PROCESS = re.compile(r'\("((?:[^"\\]|\\.)*)",pid=(\d+),fd=\d+\)')
TCP_LISTEN = "0A"
UDP_UNCONNECTED = "07"


def collect(machine):
    """Return (listeners, how many more there are), or (None, 0) when nothing could tell.

    A listener is ``proto`` (tcp or udp), ``address``, ``port``, ``scope`` (wildcard, loopback, address), ``link``
    (bound to that interface, or None) and ``processes`` (names; None when this user may not know).
    """
    shown = machine.run(["ss", "-H", "-tulnp"], source="listeners")
    found = None
    if shown.ok:
        try:
            found = parse_ss(shown.out.rpartition("\n")[0] if shown.truncated else shown.out)
        except ValueError as exc:
            machine.note("listeners", "error", str(exc))
    if found is None:
        found, whole = _from_proc(machine)
        if whole:
            machine.replaced("listeners")
    if found is None:
        return None, 0
    merged = {}
    for listener in found:
        key = (listener["proto"], listener["address"], listener["port"], listener["link"] or "")
        known = merged.setdefault(key, dict(listener))
        if listener["processes"]:
            known["processes"] = sorted(set(known["processes"] or []) | set(listener["processes"]))
    ordered = [merged[key] for key in sorted(merged)]
    return ordered[:LISTENER_CAP], max(0, len(ordered) - LISTENER_CAP)


def parse_ss(text):
    """Parse ``ss -H -tulnp``: netid, state, two queues, local and peer address, processes.

    Raises ValueError with the line when it has another form.
    """
    found = []
    for line in text.splitlines():
        if not line.strip():
            continue
        fields = line.split(None, 6)
        if len(fields) < 6 or fields[0] not in ("tcp", "udp") or not fields[2].isdigit():
            raise ValueError("ss: cannot read %r" % line[:120])
        address, link, port = _split_address(fields[4], line)
        names = [name for name, _pid in _PROCESS.findall(fields[6])] if len(fields) > 6 else []
        found.append(_listener(fields[0], address, port, link, sorted(set(names)) or None))
    return found


def _split_address(text, line):
    """``127.0.0.53%lo:53``, ``[fe80::1]%eth0:546``, ``*:80`` -> (address, link or None, port)."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit():
        raise ValueError("ss: no address in %r" % line[:120])
    host, _percent, link = host.partition("%")
    return host.strip("[]"), link or None, int(port)


def _listener(proto, address, port, link, processes):
    loopback = address.startswith("127.") or address in ("::1", "::ffff:127.0.0.1") or link == "lo"
    scope = "wildcard" if address in WILDCARDS else "loopback" if loopback else "address"
    # ss prints * for a socket that takes IPv6 and IPv4.
    return {
        "proto": proto,
        "address": "::" if address == "*" else address,
        "port": port,
        "scope": scope,
        "link": link,
        "processes": processes,
    }


def _from_proc(machine):
    """(listeners or None, whether those are all): a kernel without IPv6 lacks two of the files, never the others."""
    found = None
    read = set()
    for name, wanted in (
        ("tcp", TCP_LISTEN),
        ("tcp6", TCP_LISTEN),
        ("udp", UDP_UNCONNECTED),
        ("udp6", UDP_UNCONNECTED),
    ):
        text = machine.read("/proc/net/" + name)
        if text is None:
            continue
        try:
            found = (found or []) + parse_proc_net(text, name[:3], wanted)
            read.add(name)
        except ValueError as exc:
            machine.note("/proc/net/" + name, "error", str(exc))
    return found, {"tcp", "udp"} <= read


def parse_proc_net(text, proto, wanted_state):
    """Parse /proc/net/{tcp,udp}[6]; addresses are hexadecimal, each 32-bit word in the host's byte order."""
    found = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 10 or ":" not in fields[1]:
            raise ValueError("/proc/net/%s: cannot read %r" % (proto, line[:120]))
        if fields[3] == wanted_state:
            address, port = fields[1].split(":")
            found.append(_listener(proto, decode_address(address), int(port, 16), None, None))
    return found


def decode_address(text):
    """``0100007F`` -> ``127.0.0.1``; 32 digits -> IPv6."""
    try:
        words = binascii.unhexlify(text)
    except ValueError:
        raise ValueError("not an address: %r" % text[:40]) from None
    packed = b"".join(struct.pack(">I", struct.unpack("=I", words[n : n + 4])[0]) for n in range(0, len(words), 4))
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)
