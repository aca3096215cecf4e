# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: which resolvers a host uses and whether each of them answers, one by one.

The query is built by hand: the library would ask whichever resolver answers first and hide a dead one.
Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import struct

RESOLVER_CAP = 4
QUERY_TIMEOUT_S = 1.0
QUERY_ID = 0x4B57
TYPES = {"A": 1, "NS": 2, "SOA": 6, "AAAA": 28}
RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
STUB = "127.0.0.53"


def collect(machine, names):
    """Return (resolvers, search domains); resolvers is None without a readable resolv.conf.

    ``names`` are asked of every resolver, at most two. Without any, the root's name servers are asked for, and the
    host's own search domain: what a resolver knows by heart, so that nobody outside learns of it. A resolver is
    ``address``, ``origin`` (the file), ``queries``: [{name, type, status (ok, timeout, error), rcode, ms}].
    """
    text = machine.read("/etc/resolv.conf", source="resolv.conf")
    if text is None:
        return None, []
    servers, search = parse_resolv_conf(text)
    found = [(address, "/etc/resolv.conf") for address in servers]
    if STUB in servers:
        path = "/run/systemd/resolve/resolv.conf"
        upstream, more = parse_resolv_conf(machine.read(path, source="resolv.conf") or "")
        found += [(address, path) for address in upstream if address not in servers]
        search = search or more
    questions = [(name, "A") for name in names[:2]]
    if not questions:
        questions = [(".", "NS")] + [(domain, "SOA") for domain in search[:1] if domain != "."]
    resolvers = []
    for address, origin in found[:RESOLVER_CAP]:
        resolvers.append({"address": address, "origin": origin, "queries": _ask(machine, address, questions)})
    return resolvers, search


def parse_resolv_conf(text):
    """Return (addresses, search domains); glibc uses three addresses and the last search or domain line."""
    servers = []
    search = []
    for line in text.splitlines():
        words = line.split()
        if len(words) < 2 or words[0].startswith(("#", ";")):
            continue
        if words[0] == "nameserver" and words[1] not in servers:
            servers.append(words[1])
        elif words[0] in ("search", "domain"):
            search = [word.rstrip(".").lower() or "." for word in words[1:]]
    return servers[:3], search


def _ask(machine, address, questions):
    answers = []
    for name, kind in questions:
        reply, milliseconds = machine.udp_exchange(address, 53, build_query(name, kind), timeout=QUERY_TIMEOUT_S)
        answer = {"name": name, "type": kind, "status": "timeout", "rcode": None, "ms": None}
        if reply is not None:
            try:
                answer["rcode"] = parse_reply(reply)
                answer["status"] = "ok"
                answer["ms"] = milliseconds
            except ValueError as exc:
                answer["status"] = "error"
                machine.note("resolver %s" % address, "error", str(exc))
        answers.append(answer)
        if reply is None:
            break  # one second lost to a dead resolver is enough
    return answers


def build_query(name, kind):
    """Bytes of a recursive query (RFC 1035). Raises ValueError for a name that cannot be asked for."""
    labels = [] if name == "." else name.rstrip(".").split(".")
    packed = b""
    for label in labels:
        data = label.encode("idna") if any(ord(sign) > 127 for sign in label) else label.encode("ascii")
        if not 0 < len(data) < 64:
            raise ValueError("not a host name: %r" % name[:80])
        packed += struct.pack("B", len(data)) + data
    header = struct.pack(">HHHHHH", QUERY_ID, 0x0100, 1, 0, 0, 0)
    return header + packed + b"\0" + struct.pack(">HH", TYPES[kind], 1)


def parse_reply(data):
    """Return the answer code (NOERROR, NXDOMAIN, SERVFAIL ...). Raises ValueError when it is no reply to our query."""
    if len(data) < 12:
        raise ValueError("DNS reply of %d bytes" % len(data))
    number, flags = struct.unpack(">HH", data[:4])
    if number != QUERY_ID or not flags & 0x8000:
        raise ValueError("not a reply to this query: %r" % data[:12])
    return RCODES.get(flags & 0x000F, str(flags & 0x000F))
