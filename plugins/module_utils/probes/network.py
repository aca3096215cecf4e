# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a host is connected: links and their counters, addresses, default routes, resolvers, listening sockets.

Counters are totals since boot; rates are made on the control node from two runs. Nothing outside the host's own
configuration is contacted unless the parameters name it. Runs on managed hosts: Python 3.6 syntax.
"""

import re

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _listeners, _resolvers, _routes
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Unreadable

TIME_LIMIT_S = 12
PARAMETERS = ("names", "targets")
LINK_CAP = 64
TARGET_CAP = 5
# Interfaces that container and virtual machine tools make and drop by the dozen; only counted.
FLEETING = re.compile(r"^(veth|vnet|tap|cali|lxc|fwpr|fwln|ifb|dummy)")
COUNTERS = ("bytes", "packets", "errors", "dropped")
MORE_COUNTERS = ("rx_crc_errors", "rx_missed_errors", "tx_carrier_errors", "collisions")
LOOPBACK_TYPE = "772"
FLAG_UP = 0x1


def collect(machine, parameters):
    """Return the facts of ``network``.

    ``parameters``: ``names`` (host names to ask every resolver for), ``targets`` ("host:port" to open a TCP
    connection to; none by default). Keys: ``links``, ``fleeting_links`` (a number), ``bonds``, ``addresses``,
    ``default_routes``, ``resolvers``, ``search``, ``names_given``, ``targets`` (None: not asked), ``listeners``,
    ``listeners_left_out``, ``ephemeral_ports`` (first and last port the kernel hands out), ``boot_id``.
    """
    names = machine.listdir("/sys/class/net")
    if not names:
        raise Unreadable("absent", "this host has no /sys/class/net")
    steady = [name for name in names if not FLEETING.match(name)]
    listeners, left_out = _listeners.collect(machine)
    asked = list(parameters.get("names") or [])
    resolvers, search = _resolvers.collect(machine, asked)
    return {
        "links": [_link(machine, name) for name in steady[:LINK_CAP]],
        "fleeting_links": len(names) - len(steady),
        "bonds": [bond for bond in (_bond(machine, name) for name in machine.listdir("/proc/net/bonding")) if bond],
        "addresses": _steady(_routes.addresses(machine)),
        "default_routes": _routes.default_routes(machine),
        "resolvers": resolvers,
        "search": search,
        "names_given": bool(asked),
        "targets": _targets(machine, parameters.get("targets") or []),
        "listeners": listeners,
        "listeners_left_out": left_out,
        "ephemeral_ports": _ephemeral_ports(machine),
        "boot_id": (machine.read("/proc/sys/kernel/random/boot_id") or "").strip() or None,
    }


def _steady(addresses):
    """Addresses without those of links that come and go with containers and virtual machines."""
    if addresses is None:
        return None
    return [address for address in addresses if not FLEETING.match(address["link"] or "")]


def _link(machine, name):
    """One interface. ``speed_mbit`` and ``duplex`` are None where the driver or a missing cable gives none."""
    folder = "/sys/class/net/" + name
    speed = _number(machine, folder + "/speed")
    duplex = _word(machine, folder + "/duplex")
    counters = dict((side + "_" + word, None) for side in ("rx", "tx") for word in COUNTERS)
    counters.update((word, None) for word in MORE_COUNTERS)
    for counter in sorted(counters):
        counters[counter] = _number(machine, folder + "/statistics/" + counter)
    flags = _word(machine, folder + "/flags")
    master = machine.readlink(folder + "/master")
    return {
        "name": name,
        "kind": _kind(machine, folder),
        "up": bool(int(flags, 16) & FLAG_UP) if flags else None,
        "operstate": _word(machine, folder + "/operstate"),
        "carrier": {"1": True, "0": False}.get(_word(machine, folder + "/carrier")),
        "carrier_changes": _number(machine, folder + "/carrier_changes"),
        "speed_mbit": speed if speed is not None and speed > 0 else None,
        "duplex": duplex if duplex in ("full", "half") else None,
        "mtu": _number(machine, folder + "/mtu"),
        "master": master.rsplit("/", 1)[-1] if master else None,
        "counters": counters,
    }


def _kind(machine, folder):
    """loopback, physical, or what the kernel calls the device (bond, bridge, vlan, wlan, wireguard ...), or virtual."""
    if _word(machine, folder + "/type") == LOOPBACK_TYPE:
        return "loopback"
    kind = re.search(r"^DEVTYPE=(\S+)$", machine.read(folder + "/uevent") or "", re.MULTILINE)
    if kind:
        return kind.group(1)
    return "physical" if machine.exists(folder + "/device") else "virtual"


def _word(machine, path):
    return (machine.read(path, limit=4096, source="links") or "").strip() or None


def _number(machine, path):
    text = _word(machine, path)
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        machine.note("links", "error", "%s: not a number: %r" % (path, text[:40]))
        return None


def _bond(machine, name):
    text = machine.read("/proc/net/bonding/" + name, source="bonds")
    if text is None:
        return None
    try:
        return parse_bond(name, text)
    except ValueError as exc:
        machine.note("bonds", "error", str(exc))
        return None


def parse_bond(name, text):
    """Parse /proc/net/bonding/NAME: the bond's mode and link state, then one block a member.

    Raises ValueError when there is no mode or a member without a state.
    """
    head, *blocks = re.split(r"^Slave Interface: ", text, flags=re.MULTILINE)

    def value(block, key):
        match = re.search(r"^%s: (.+)$" % key, block, re.MULTILINE)
        return match.group(1).strip() if match else None

    bond = {
        "name": name,
        "mode": value(head, "Bonding Mode"),
        "up": value(head, "MII Status") == "up",
        "active": value(head, "Currently Active Slave"),
        "members": [],
    }
    if bond["mode"] is None:
        raise ValueError("bonding %s: no mode in %r" % (name, text[:120]))
    for block in blocks:
        status = value(block, "MII Status")
        if status is None:
            raise ValueError("bonding %s: member without MII Status: %r" % (name, block[:120]))
        failures = value(block, "Link Failure Count")
        member = {"name": block.split("\n", 1)[0].strip(), "up": status == "up", "speed": value(block, "Speed")}
        member["failures"] = int(failures) if failures else None
        bond["members"].append(member)
    return bond


def _targets(machine, targets):
    """Ask for each named target once: {target, status, ms}; None when nobody asked for any."""
    if not targets:
        return None
    results = []
    for target in targets[:TARGET_CAP]:
        host, colon, port = str(target).rpartition(":")
        if not colon or not port.isdigit():
            results.append({"target": str(target), "status": "error", "ms": None, "detail": "not host:port"})
            continue
        answer = machine.tcp_connect(host.strip("[]"), int(port), timeout=1.5)
        results.append(
            {"target": str(target), "status": answer["status"], "ms": answer["ms"], "detail": answer["detail"]}
        )
    return results


def _ephemeral_ports(machine):
    words = (machine.read("/proc/sys/net/ipv4/ip_local_port_range") or "").split()
    return [int(words[0]), int(words[1])] if len(words) == 2 and all(word.isdigit() for word in words) else None
