# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: addresses, default routes and the gateway behind them, from ``ip`` or from /proc.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import binascii
import json
import re
import socket
import struct

from ansible_collections.keepwell.fleet.plugins.module_utils.probes._listeners import decode_address
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import LIST_CAP

ADDRESS_CAP = 100
# An old ip: one that knows no -j, and one that takes it and answers some questions in its own form all the same.
_NO_JSON = re.compile(r'Option "-j(?:son)?" is unknown')
_PLAIN = re.compile(r"[0-9A-Fa-f:.]+ dev \S+ ")
ROUTE_UP = 0x1
ROUTE_UP_GATEWAY = 0x3
NO_ROUTE = 0x0200


def addresses(machine):
    """List of {link, family (4 or 6), address, prefix, scope, dynamic, duplicate}, or None when nothing could tell.

    ``duplicate`` is the kernel's word (IPv6 only) that somebody else has the address.
    """
    shown = _ip(machine, ["ip", "-j", "addr"], "addresses")
    if shown is not None:
        found = [
            {
                "link": link.get("ifname"),
                "family": 6 if entry.get("family") == "inet6" else 4,
                "address": entry.get("local"),
                "prefix": entry.get("prefixlen"),
                "scope": entry.get("scope"),
                "dynamic": bool(entry.get("dynamic")),
                "duplicate": bool(entry.get("dadfailed")),
            }
            for link in shown
            for entry in link.get("addr_info", [])
            if entry.get("local")
        ]
        return found[:ADDRESS_CAP]
    found = []
    read = set()
    for path, parse in (("/proc/net/fib_trie", parse_fib_trie), ("/proc/net/if_inet6", parse_if_inet6)):
        text = machine.read(path)
        if text is not None:
            try:
                found += parse(text)
            except ValueError as exc:
                machine.note(path, "error", str(exc))
            read.add(path)
    _link(machine, [entry for entry in found if entry["family"] == 4 and entry["scope"] == "global"])
    if "/proc/net/fib_trie" in read and all(entry["link"] for entry in found if entry["scope"] == "global"):
        machine.replaced("addresses")
    return found[:ADDRESS_CAP] if read else None


def _link(machine, entries):
    """Give IPv4 addresses the link and the prefix of the network they lie in; an address in none keeps None."""
    try:
        networks = parse_proc_networks(machine.read("/proc/net/route") or "")
    except ValueError as exc:
        machine.note("/proc/net/route", "error", str(exc))
        return
    for entry in entries:
        number = _number(entry["address"])
        near = [
            (prefix, link) for network, prefix, link in networks if prefix and not (number ^ network) >> 32 - prefix
        ]
        if near:
            entry["prefix"], entry["link"] = max(near)


def _number(address):
    return struct.unpack(">I", socket.inet_aton(address))[0]


def parse_proc_networks(text):
    """Networks in /proc/net/route that a link is part of, without a gateway: [(number, prefix length, link)]."""
    networks = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 8:
            raise ValueError("route: cannot read %r" % line[:120])
        if int(fields[3], 16) & ROUTE_UP_GATEWAY == ROUTE_UP:
            prefix = bin(int(fields[7], 16)).count("1")
            networks.append((_number(decode_address(fields[1])), prefix, fields[0]))
    return networks


def _ip(machine, command, source):
    """Parsed answer of ``ip -j``; None when it is missing, failed or is too old to know -j (then noted)."""
    shown = machine.run(command, source=source, cap=LIST_CAP, missing=_NO_JSON)
    if not shown.ok:
        return None
    if _PLAIN.match(shown.out):
        machine.note(source, "absent", "%s is too old to answer in JSON" % command[0])
        return None
    try:
        entries = json.loads(shown.out or "[]")
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise ValueError("not a list of objects")
    except ValueError as exc:
        machine.note(source, "error", "%s: %s: %r" % (" ".join(command), exc, shown.out[:80]))
        return None
    return entries


def parse_fib_trie(text):
    """IPv4 addresses of the host (``/32 host LOCAL`` below ``|-- address``); it does not name their links."""
    found = {}
    current = None
    for line in text.splitlines():
        leaf = re.match(r"^\s*\|-- (\d+\.\d+\.\d+\.\d+)$", line)
        if leaf:
            current = leaf.group(1)
        elif line.strip() == "/32 host LOCAL":
            if current is None:
                raise ValueError("fib_trie: no address above %r" % line[:120])
            found[current] = None
    return [_proc_address(None, 4, address, 32, address.startswith("127.")) for address in sorted(found)]


def parse_if_inet6(text):
    """Parse /proc/net/if_inet6: address, ifindex, prefix length, scope, flags (08: duplicate), name."""
    found = []
    for line in text.splitlines():
        fields = line.split()
        if len(fields) != 6 or len(fields[0]) != 32:
            raise ValueError("if_inet6: cannot read %r" % line[:120])
        address = socket.inet_ntop(socket.AF_INET6, binascii.unhexlify(fields[0]))
        entry = _proc_address(fields[5], 6, address, int(fields[2], 16), address == "::1")
        entry["scope"] = {0x00: "global", 0x10: "host", 0x20: "link"}.get(int(fields[3], 16), "site")
        entry["duplicate"] = bool(int(fields[4], 16) & 0x08)
        found.append(entry)
    return found


def _proc_address(link, family, address, prefix, loopback):
    return {
        "link": link,
        "family": family,
        "address": address,
        "prefix": prefix,
        "scope": "host" if loopback else "global",
        "dynamic": None,
        "duplicate": False,
    }


def default_routes(machine):
    """List of {family, gateway (None: onto the link), link, metric, dead, neighbour}; None: nothing could tell.

    ``neighbour`` is the state of the gateway in the neighbour table (REACHABLE, STALE, FAILED ...), None: not in it.
    """
    routes = []
    for family, option, proc in ((4, "-4", "/proc/net/route"), (6, "-6", "/proc/net/ipv6_route")):
        shown = _ip(machine, ["ip", "-j", option, "route", "show", "default"], "routes")
        if shown is not None:
            routes += [route for entry in shown for route in parse_route(entry, family)]
            continue
        text = machine.read(proc)
        if text is None:
            if family == 4:
                return None
            continue  # a kernel without IPv6
        try:
            routes += parse_proc_route(text) if family == 4 else parse_proc_route6(text)
        except ValueError as exc:
            machine.note(proc, "error", str(exc))
            return None
    for route in routes[:8]:
        route["neighbour"] = _neighbour(machine, route["gateway"]) if route["gateway"] else None
    return routes[:8]


def parse_route(entry, family):
    """Routes of one entry of ``ip -j route``; a route over several gateways has ``nexthops``."""
    hops = entry.get("nexthops") or [entry]
    return [
        {
            "family": family,
            "gateway": hop.get("gateway") or (hop.get("via") or {}).get("host"),
            "link": hop.get("dev"),
            "metric": entry.get("metric"),
            "dead": bool({"dead", "linkdown"} & set((hop.get("flags") or []) + (entry.get("flags") or []))),
        }
        for hop in hops
    ]


def parse_proc_route(text):
    """Default routes in /proc/net/route (addresses are hexadecimal in the host's byte order)."""
    routes = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 8:
            raise ValueError("route: cannot read %r" % line[:120])
        if fields[1] == "00000000" and fields[7] == "00000000" and int(fields[3], 16) & 1:
            gateway = decode_address(fields[2]) if int(fields[3], 16) & ROUTE_UP_GATEWAY == ROUTE_UP_GATEWAY else None
            route = {"family": 4, "gateway": gateway, "link": fields[0], "metric": int(fields[6]), "dead": False}
            routes.append(route)
    return routes


def parse_proc_route6(text):
    """Default routes in /proc/net/ipv6_route; the ones on lo stand for "no route"."""
    routes = []
    for line in text.splitlines():
        fields = line.split()
        if len(fields) != 10 or len(fields[4]) != 32:
            raise ValueError("ipv6_route: cannot read %r" % line[:120])
        if int(fields[0], 16) == 0 and fields[1] == "00" and not int(fields[8], 16) & NO_ROUTE and fields[9] != "lo":
            gateway = socket.inet_ntop(socket.AF_INET6, binascii.unhexlify(fields[4])) if int(fields[4], 16) else None
            metric = int(fields[5], 16)
            routes.append({"family": 6, "gateway": gateway, "link": fields[9], "metric": metric, "dead": False})
    return routes


def _neighbour(machine, gateway):
    shown = _ip(machine, ["ip", "-j", "neigh", "show", gateway], "neighbours")
    if not shown:
        return None
    states = shown[0].get("state") or []
    return states[0] if states else None
