# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the network document from the raw facts of a Windows host. Pure."""

from __future__ import annotations

import base64
import binascii
import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _resolvers
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._listeners import LISTENER_CAP
from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_hosts._records import (
    Row,
    boot_of,
    listed,
    number,
    rows,
)

_IPV6 = 23
_UP = 1
_CONNECTED = {1: True, 2: False}
_WIRELESS = 9
_BITS = 1_000_000
# 2^64-1: the adapter does not know its speed.
_NO_SPEED = 2**63
_DUPLICATE = 2
_DUPLEX: Mapping[t.Any, str] = {True: "full", False: "half"}
_DYNAMIC_ORIGINS = (3, 4)
_NEIGHBOURS = {
    0: "FAILED",
    1: "INCOMPLETE",
    2: "PROBE",
    3: "DELAY",
    4: "STALE",
    5: "REACHABLE",
    6: "PERMANENT",
}
_ACTIVE_STORE = 1
_NO_GATEWAY = ("0.0.0.0", "::")  # noqa: S104 - compared, never bound to
_WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - compared, never bound to
_MODES = {0: "static", 1: "switch independent", 2: "lacp"}
_MEMBER_WORKS = (0, 1)
_TEAM_UP = (0, 2)
_DEFAULT_PORTS = [49152, 65535]
_ROUTE_CAP = 8
_PACKETS = ("UnicastPackets", "MulticastPackets", "BroadcastPackets")


def read(data: Row, _at: float) -> dict[str, t.Any]:
    """Return the document of ``network`` (see probes/network.py) from what network.psm1 found.

    Programs get TCP ports from the same range as UDP ports (remote procedure calls listen there, elsewhere after each
    start): ``ephemeral_protocols`` says so.
    """
    adapters = [row for row in listed(data, "adapters") if not row.get("Hidden")]
    names = {str(row.get("Name")) for row in adapters}
    statistics = {str(row.get("Name")): row for row in listed(data, "statistics")}
    masters = {str(row.get("Name")): str(row.get("Team")) for row in listed(data, "team_members")}
    teams = {str(row.get("Name")) for row in listed(data, "teams")}
    listeners = _listeners(data)
    return {
        "links": [
            _link(row, statistics.get(str(row.get("Name")), {}), masters.get(str(row.get("Name"))), teams)
            for row in adapters
        ],
        "fleeting_links": len(listed(data, "adapters")) - len(adapters),
        "bonds": _bonds(data),
        "addresses": _addresses(data, names),
        "default_routes": _routes(data, adapters),
        "resolvers": _answers(data),
        "search": list(data.get("suffixes") or ()),
        "names_given": bool(data.get("names_given")),
        "targets": data.get("targets"),
        "listeners": None if listeners is None else listeners[:LISTENER_CAP],
        "listeners_left_out": 0 if listeners is None else max(0, len(listeners) - LISTENER_CAP),
        "ephemeral_ports": _dynamic_ports(data),
        "ephemeral_protocols": ["tcp", "udp"],
        "boot_id": boot_of(data),
    }


def _link(row: Row, counts: Row, master: str | None, teams: set[str]) -> dict[str, t.Any]:
    speed = number(row.get("Speed"))
    carrier = _CONNECTED.get(number(row.get("MediaConnectState")) or 0)
    kind = "virtual"
    if str(row.get("Name")) in teams:
        kind = "team"
    elif row.get("ConnectorPresent"):
        kind = "wlan" if number(row.get("NdisPhysicalMedium")) == _WIRELESS else "physical"
    counters = dict.fromkeys(
        ("rx_crc_errors", "rx_missed_errors", "tx_carrier_errors", "collisions"), None
    )  # Windows counts them all as errors
    return {
        "name": row.get("Name"),
        "kind": kind,
        "up": number(row.get("InterfaceAdminStatus")) == _UP,
        "operstate": "up" if number(row.get("InterfaceOperationalStatus")) == _UP else "down",
        "carrier": carrier,
        "carrier_changes": None,
        "speed_mbit": speed // _BITS if speed and speed < _NO_SPEED and carrier else None,
        "duplex": _DUPLEX.get(row.get("FullDuplex")) if carrier else None,
        "mtu": number(row.get("MtuSize")),
        "master": master,
        "counters": {
            **counters,
            **_side("rx", counts, "Received", "Received"),
            **_side("tx", counts, "Sent", "Outbound"),
        },
    }


def _side(side: str, counts: Row, good: str, bad: str) -> dict[str, int | None]:
    packets = [number(counts.get(good + name)) for name in _PACKETS]
    known = [value for value in packets if value is not None]
    return {
        f"{side}_bytes": number(counts.get(f"{good}Bytes")),
        f"{side}_packets": sum(known) if known else None,
        f"{side}_errors": number(counts.get(f"{bad}PacketErrors")),
        f"{side}_dropped": number(counts.get(f"{bad}DiscardedPackets")),
    }


def _bonds(data: Row) -> list[dict[str, t.Any]]:
    """Teams of network cards. Where Windows cannot team there are none."""
    found = []
    for team in listed(data, "teams"):
        members = [row for row in listed(data, "team_members") if row.get("Team") == team.get("Name")]
        found.append(
            {
                "name": team.get("Name"),
                "mode": _MODES.get(-1 if (mode := number(team.get("TeamingMode"))) is None else mode, "unknown"),
                "up": number(team.get("Status")) in _TEAM_UP,
                "active": None,
                "members": [
                    {
                        "name": row.get("Name"),
                        "up": number(row.get("OperationalStatus")) in _MEMBER_WORKS,
                        "speed": None,
                        "failures": None,
                    }
                    for row in members
                ],
            }
        )
    return found


def _addresses(data: Row, names: set[str]) -> list[dict[str, t.Any]] | None:
    entries = rows(data, "addresses")
    if entries is None:
        return None
    found = []
    for row in entries:
        address = str(row.get("IPAddress")).partition("%")[0]
        loopback = address.startswith("127.") or address == "::1"
        if not loopback and str(row.get("InterfaceAlias")) not in names:
            continue
        own = address.lower().startswith(("fe80:", "169.254."))
        found.append(
            {
                "link": row.get("InterfaceAlias"),
                "family": 6 if number(row.get("AddressFamily")) == _IPV6 else 4,
                "address": address,
                "prefix": number(row.get("PrefixLength")),
                "scope": "host" if loopback else "link" if own else "global",
                "dynamic": number(row.get("PrefixOrigin")) in _DYNAMIC_ORIGINS,
                "duplicate": number(row.get("AddressState")) == _DUPLICATE,
            }
        )
    return found


def _routes(data: Row, adapters: Sequence[Row]) -> list[dict[str, t.Any]] | None:
    """Default routes in force, once each: Windows keeps them in a store for the next start, too."""
    entries = rows(data, "routes")
    if entries is None:
        return None
    states = {
        (str(row.get("IPAddress")), number(row.get("InterfaceIndex"))): _NEIGHBOURS.get(
            -1 if (state := number(row.get("State"))) is None else state
        )
        for row in listed(data, "neighbours")
    }
    down = {
        number(row.get("InterfaceIndex")) for row in adapters if number(row.get("InterfaceOperationalStatus")) != _UP
    }
    found: list[dict[str, t.Any]] = []
    for row in entries:
        gateway = str(row.get("NextHop"))
        if number(row.get("Store")) not in (None, _ACTIVE_STORE):
            continue
        index = number(row.get("InterfaceIndex"))
        route = {
            "family": 6 if ":" in str(row.get("DestinationPrefix")) else 4,
            "gateway": None if gateway in _NO_GATEWAY else gateway,
            "link": row.get("InterfaceAlias"),
            "metric": number(row.get("RouteMetric")),
            "dead": index in down,
            "neighbour": states.get((gateway, index)),
        }
        if route not in found:
            found.append(route)
    return found[:_ROUTE_CAP]


def _answers(data: Row) -> list[dict[str, t.Any]] | None:
    entries = rows(data, "answers")
    if entries is None:
        return None
    return [
        {
            "address": row.get("address"),
            "origin": row.get("origin"),
            "queries": [_query(query) for query in row.get("queries") or ()],
        }
        for row in entries
    ]


def _query(query: Row) -> dict[str, t.Any]:
    answer = {"name": query.get("name"), "type": query.get("type"), "status": "timeout", "rcode": None, "ms": None}
    if query.get("reply"):
        try:
            answer["rcode"] = _resolvers.parse_reply(base64.b64decode(str(query["reply"])))
            answer["status"] = "ok"
            answer["ms"] = query.get("ms")
        except (ValueError, binascii.Error):
            answer["status"] = "error"
    return answer


def _listeners(data: Row) -> list[dict[str, t.Any]] | None:
    tcp, udp = rows(data, "tcp"), rows(data, "udp")
    if tcp is None or udp is None:
        # Half of a list would make all of the other half gone now, and new the next time.
        return None
    names = _process_names(data)
    found: dict[tuple[str, str, int], dict[str, t.Any]] = {}
    for proto, entries in (("tcp", tcp), ("udp", udp)):
        for row in entries or ():
            address, port = str(row.get("LocalAddress")).partition("%")[0], number(row.get("LocalPort"))
            if port is None:
                continue
            loopback = address.startswith("127.") or address in ("::1", "::ffff:127.0.0.1")
            entry = found.setdefault(
                (proto, address, port),
                {
                    "proto": proto,
                    "address": address,
                    "port": port,
                    "scope": "wildcard" if address in _WILDCARDS else "loopback" if loopback else "address",
                    "link": None,
                    "processes": None,
                },
            )
            name = names.get(number(row.get("OwningProcess")) or 0)
            if name:
                entry["processes"] = sorted({*(entry["processes"] or ()), name})
    return [found[key] for key in sorted(found)]


def _process_names(data: Row) -> Mapping[int, str]:
    """Process number -> program, with its services where it is a host of services."""
    services: dict[int, list[str]] = {}
    for row in listed(data, "services"):
        services.setdefault(number(row.get("ProcessId")) or 0, []).append(str(row.get("Name")))
    found = {0: "", 4: "System"}
    for row in listed(data, "processes"):
        pid = number(row.get("ProcessId")) or 0
        name = str(row.get("Name"))
        name = name[: -len(".exe")] if name.lower().endswith(".exe") else name
        if pid and pid not in found:
            held = sorted(services.get(pid, ()))
            found[pid] = f"{name} ({', '.join(held[:4])})" if held and name.lower() == "svchost" else name
    return found


def _dynamic_ports(data: Row) -> list[int]:
    """The range of the settings in force; several may stand there, and some without one."""
    for row in listed(data, "dynamic_ports"):
        start, count = (
            number(row.get("DynamicPortRangeStartPort")),
            number(row.get("DynamicPortRangeNumberOfPorts")),
        )
        if start and count:
            return [start, start + count - 1]
    return list(_DEFAULT_PORTS)
