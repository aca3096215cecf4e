# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Network: does the host reach its neighbours and names, and who may reach it?"""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks import _listening, _reaching
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    DAY,
    Section,
    Verdict,
    View,
    check,
    count_text,
    literal,
    threshold,
)

# Links that somebody set up to carry traffic; an empty container bridge has an address and no carrier, too.
CARRIERS = ("physical", "bond", "vlan", "team", "wlan")


class Policy(Section):
    """Thresholds for the network."""

    loss_percent: float = threshold(0.01, "House; dropped packets include unknown protocols", gt=0)
    loss_min: int = threshold(100, "House; fewer packets prove nothing", ge=1)
    link_flaps: int = threshold(4, "House; two losses of the cable signal since the previous run", ge=1)
    resolver_slow_ms: float = threshold(500.0, "House; users feel half a second a name", gt=0)
    listener_new_s: float = threshold(7 * DAY, "House; a week to be asked about a new listening service", gt=0)
    listeners_expected: tuple[str, ...] = threshold((), "the client's own list, such as tcp/443")


_ROUTES_ON_WINDOWS = "Get-NetRoute -DestinationPrefix '0.0.0.0/0', '::/0'"


def _same_boot(before: Mapping[str, t.Any] | None, now: Mapping[str, t.Any]) -> bool:
    return before is not None and before.get("boot_id") == now.get("boot_id")


@check(
    "network.links",
    title="Network links",
    advice="Look at the cable, the switch port and its settings on both ends.",
    needs=("network",),
    sources=(
        "links",
        "addresses",
        "/proc/net/fib_trie",
        "/proc/net/route",
        "/proc/net/if_inet6",
        "/proc/sys/kernel/random/boot_id",
    ),
    thresholds=("link_flaps",),
)
def links(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge the links that carry addresses or belong to a bond or bridge."""
    data = view.data("network")
    before = view.history.previous("network")
    known = {link["name"]: link for link in (before or {}).get("links") or []}
    addressed = {entry["link"] for entry in data.get("addresses") or [] if entry.get("scope") == "global"}
    used = [
        link
        for link in data["links"]
        if link["name"] in addressed or link.get("master") or known.get(link["name"], {}).get("carrier")
    ]
    bad = 0
    for link in used:
        problem = _link_problem(link, known.get(link["name"]), _same_boot(before, data), policy)
        if problem:
            bad += 1
            yield Verdict(
                "watch",
                link["name"],
                observed=problem,
                expected="up, full duplex, no flapping",
                summary=f"Network link {link['name']}: {problem}.",
                command=view.command(
                    f"ip -s link show dev {link['name']}; ethtool {link['name']}",
                    f"Get-NetAdapter -Name {literal(link['name'])} | Format-List",
                ),
            )
    present = {link["name"] for link in data["links"]}
    for name in sorted(set(known) - present):
        if known[name].get("kind") == "physical":
            bad += 1
            text = f"Network card {name} was there at the previous run and is gone."
            command = view.command("ip -br link", "Get-NetAdapter -IncludeHidden")
            yield Verdict("watch", name, observed="gone", expected="present", summary=text, command=command)
    if not bad and data.get("addresses") is None:
        text = "The addresses of this host could not be read, so nobody knows which of its links are in use."
        command = view.command("ip addr", "Get-NetIPAddress")
        yield Verdict("unknown", observed="addresses not read", expected="all up", summary=text, command=command)
    elif not bad and used:
        names = ", ".join(link["name"] for link in used[:4])
        yield Verdict("ok", observed=f"{count_text(len(used), 'link')} in use: {names}", expected="all up")


def _link_problem(
    link: Mapping[str, t.Any], before: Mapping[str, t.Any] | None, same_boot: bool, policy: Policy
) -> str:
    """Return what is wrong with a link that is in use, or ""."""
    if link.get("up") is False:
        return "switched off"
    if link["kind"] in CARRIERS and (link.get("carrier") is False or link.get("operstate") == "down"):
        return "no carrier"
    if link.get("duplex") == "half":
        return "half duplex"
    if before:
        speed, was = link.get("speed_mbit"), before.get("speed_mbit")
        if speed and was and speed < was:
            return f"{speed} Mbit/s instead of {was} Mbit/s before"
        changes, past = link.get("carrier_changes"), before.get("carrier_changes")
        if same_boot and changes is not None and past is not None and changes - past >= policy.link_flaps:
            return f"{changes - past} changes of the cable signal since the previous run"
    return ""


@check(
    "network.errors",
    title="Network errors",
    advice="Growing errors point to a cable, a plug or a mismatched switch port; drops to a host that cannot keep up.",
    needs=("network",),
    sources=("links", "adapter statistics", "/proc/sys/kernel/random/boot_id", "boots"),
    thresholds=("loss_percent", "loss_min"),
)
def errors(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge errors and drops since the previous run, per link and direction; a reboot or reset starts anew."""
    data = view.data("network")
    before = view.history.previous("network")
    expected = f"below {policy.loss_percent} %"
    if data.get("boot_id") is None:
        text = "The boot could not be identified, so counters cannot be compared with those of the previous run."
        yield Verdict("unknown", observed="boot not known", expected=expected, summary=text)
        return
    if before is None or not _same_boot(before, data):
        reason = "first run" if before is None else "the host was restarted"
        yield Verdict("ok", observed=f"counting from now on ({reason})", expected=expected)
        return
    known = {link["name"]: link for link in before.get("links") or []}
    compared = counted = bad = 0
    for link in data["links"]:
        past = known.get(link["name"])
        if past is None or link["kind"] == "loopback":
            continue
        compared += 1
        counted += link["counters"].get("rx_packets") is not None
        for verdict in _losses(view, link, past["counters"], policy):
            bad += 1
            yield verdict
    if compared and not counted:
        text = "The counters of this host's links could not be read."
        yield Verdict("unknown", observed="counters not read", expected=expected, summary=text)
    elif not bad and compared:
        observed = f"{count_text(compared, 'link')} without notable loss since the previous run"
        yield Verdict("ok", observed=observed, expected=expected)


def _losses(view: View, link: Mapping[str, t.Any], past: Mapping[str, t.Any], policy: Policy) -> Iterator[Verdict]:
    """Yield one verdict for each kind of loss of a link that passed both limits."""
    counters = link["counters"]

    def growth(name: str) -> int | None:
        now, then = counters.get(name), past.get(name)
        # A smaller number means that the driver started to count anew: what it shows now came since.
        return None if now is None or then is None else now - then if now >= then else now

    for side in ("rx", "tx"):
        packets = growth(f"{side}_packets")
        for word in ("errors", "dropped"):
            lost = growth(f"{side}_{word}")
            if packets is None or lost is None or lost <= policy.loss_min:
                continue
            percent = lost / (packets + lost) * 100
            if percent > policy.loss_percent:
                direction = "received" if side == "rx" else "sent"
                text = f"{lost} {direction} packets with '{word}' on {link['name']} since the previous run"
                yield Verdict(
                    "watch",
                    f"{link['name']}/{side}_{word}",
                    observed=f"{lost} of {packets + lost} packets ({int(percent * 100) / 100:.2f} %)",
                    expected=f"below {policy.loss_percent} %",
                    summary=f"{text}.",
                    command=view.command(
                        f"ip -s -s link show dev {link['name']}; ethtool -S {link['name']}",
                        f"Get-NetAdapterStatistics -Name {literal(link['name'])} | Format-List",
                    ),
                    data={"lost": lost, "packets": packets},
                )


@check(
    "network.bonds",
    title="Bonded links",
    advice="One more failure cuts the host off. Replace the cable or port of the member that is down.",
    needs=("network",),
    sources=("bonds", "teams", "team members"),
)
def bonds(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge each bond: a hard fact, so one sample is enough."""
    data = view.data("network")
    bad = False
    for bond in data["bonds"]:
        down = [member["name"] for member in bond["members"] if not member["up"]]
        if not down and bond["up"] and len(bond["members"]) > 1:
            continue
        bad = True
        all_down = not bond["up"] or len(down) == len(bond["members"])
        observed = f"down: {', '.join(down)}" if down else f"{count_text(len(bond['members']), 'member')} only"
        text = f"Bond {bond['name']} is down." if all_down else f"Bond {bond['name']} lost its redundancy: {observed}."
        yield Verdict(
            "crit" if all_down else "watch",
            bond["name"],
            observed=observed,
            expected="all members up",
            summary=text,
            command=view.command(f"cat /proc/net/bonding/{bond['name']}", "Get-NetLbfoTeam; Get-NetLbfoTeamMember"),
        )
    if data["bonds"] and not bad:
        yield Verdict(
            "ok", observed=f"{count_text(len(data['bonds']), 'bond')}, all members up", expected="all members up"
        )


@check(
    "network.default_route",
    title="Default route",
    advice="Without a working gateway the host reaches nothing beyond its own network: updates, mail and backups stop.",
    needs=("network",),
    sources=("neighbours",),
)
def default_route(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge the default routes and the neighbour state of their gateways."""
    routes = view.data("network").get("default_routes")
    expected = "a gateway that answers"
    if routes is None:
        command = view.command("ip route", _ROUTES_ON_WINDOWS)
        yield Verdict("unknown", observed="routes could not be read", expected=expected, command=command)
        return
    if not routes:
        if view.exposure != "isolated":
            text = "The host has no default route."
            command = view.command("ip route; ip -6 route", _ROUTES_ON_WINDOWS)
            yield Verdict("crit", observed="none", expected=expected, summary=text, command=command)
        return
    broken = [route for route in routes if route.get("dead") or route.get("neighbour") in ("FAILED", "INCOMPLETE")]
    working = [route for route in routes if route not in broken]
    for route in broken:
        where = route["gateway"] or route["link"]
        reason = "its link is down" if route.get("dead") else "it does not answer on the local network"
        yield Verdict(
            "watch" if working else "crit",
            f"ipv{route['family']}/{where}",
            observed="dead" if route.get("dead") else f"neighbour state {route['neighbour']}",
            expected=expected,
            summary=f"The IPv{route['family']} gateway {where} is unreachable: {reason}.",
            command=view.command(
                f"ip -{route['family']} route show default; ip neigh show {route['gateway'] or ''}".rstrip(),
                f"{_ROUTES_ON_WINDOWS}; Get-NetNeighbor",
            ),
        )
    if not broken:
        names = ", ".join(f"{route['gateway'] or route['link']} (IPv{route['family']})" for route in routes[:4])
        yield Verdict("ok", observed=f"via {names}", expected=expected)


@check(
    "network.resolvers",
    title="Name resolution",
    advice="A dead first resolver makes every connection seconds slower. Correct the resolver or take it off the list.",
    needs=("network",),
    sources=("resolv.conf", "name servers"),
    thresholds=("resolver_slow_ms",),
)
def resolvers(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge every resolver by itself. An isolated host without names of its own to ask for is not judged by silence."""
    yield from _reaching.judge_resolvers(view, policy.resolver_slow_ms)


@check(
    "network.reachability",
    title="Reachable targets",
    advice="Trace the way to the target from the host: route, firewall, proxy, then the target itself.",
    needs=("network",),
)
def reachability(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge the targets that the plan names: two of three must take a connection."""
    yield from _reaching.judge_targets(view)


@check(
    "network.listeners",
    title="Listening services",
    advice="Find out who started it and why. If it is meant, add it to listeners_expected; if not, stop it.",
    needs=("network",),
    sources=("listeners", "/proc/net/*"),
    controls=("ISO A.8.9", "SOC 2 CC7.1"),
    thresholds=("listener_new_s", "listeners_expected"),
)
def listeners(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge what listens now against what listened before: a new one is as interesting as a missing one."""
    yield from _listening.judge(view, policy.listener_new_s, policy.listeners_expected)


def series(view: View) -> Iterator[tuple[str, str, float]]:
    """Points for history."""
    record = view.probes.get("network")
    if record is None or record.status != "ok":
        return
    yield from _reaching.series(record.data)
    if record.data.get("listeners") is not None:
        yield ("network.listeners", "", float(len(record.data["listeners"])))


def sightings(view: View) -> Iterator[tuple[str, str]]:
    """Listeners whose first appearance matters."""
    record = view.probes.get("network")
    if record is not None and record.status == "ok":
        for name in _listening.steady(record.data):
            yield ("listener", name)
