# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: judge resolvers and the targets that the plan names. Pure, as checks are."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    State,
    Verdict,
    View,
    count_text,
    literal,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._persistence import persistent

_RESOLVERS_ON_WINDOWS = "Get-DnsClientServerAddress"
FAILED_CODES = ("SERVFAIL", "REFUSED", "NOTIMP", "FORMERR")


def judge_resolvers(view: View, slow_ms: float) -> Iterator[Verdict]:
    """Judge every resolver by itself. An isolated host without names of its own to ask for is not judged by silence."""
    data = view.data("network")
    listed = data.get("resolvers")
    expected = f"each answers within {slow_ms:g} ms"
    if listed is None:
        place = view.command("resolv.conf", "name servers")
        if view.record("network").status_of(place) in ("denied", "error", "timeout"):
            yield Verdict("unknown", observed=f"{place} could not be read", expected=expected)
        elif view.exposure != "isolated":
            command = view.command("ls -l /etc/resolv.conf", _RESOLVERS_ON_WINDOWS)
            yield Verdict("watch", observed=f"no {place}", expected=expected, command=command)
        return
    if not listed:
        if view.exposure != "isolated":
            text = "No resolver is configured."
            command = view.command("cat /etc/resolv.conf", _RESOLVERS_ON_WINDOWS)
            yield Verdict("watch", observed="none", expected=expected, summary=text, command=command)
        return
    problems = {resolver["address"]: _problem(resolver, bool(data.get("names_given")), slow_ms) for resolver in listed}
    silent = [address for address, (kind, _text) in problems.items() if kind == "silent"]
    if view.exposure == "isolated" and not data.get("names_given") and len(silent) == len(listed):
        return
    bad = False
    for resolver in listed:
        address = resolver["address"]
        kind, text = problems[address]
        state, note = _believed(view, resolver, kind, len(silent) == len(listed), slow_ms)
        if state == "ok":
            continue
        bad = True
        yield Verdict(
            state,
            address,
            observed=text + (f" ({note})" if note else ""),
            expected=expected,
            summary=f"Resolver {address}: {text}." + (" No other one works." if len(silent) == len(listed) else ""),
            command=view.command(
                f"dig +time=2 +tries=1 @{address} . NS; cat /etc/resolv.conf",
                f"Resolve-DnsName -Server {address} -Type NS -Name . -DnsOnly; {_RESOLVERS_ON_WINDOWS}",
            ),
        )
    if not bad:
        times = [query["ms"] for resolver in listed for query in resolver["queries"] if query["ms"] is not None]
        slowest = f", slowest answer {int(max(times))} ms" if times else ""
        brief = ", one hiccup in this sample only" if any(kind for kind, _text in problems.values()) else ""
        yield Verdict("ok", observed=count_text(len(listed), "resolver") + slowest + brief, expected=expected)


def _problem(resolver: Mapping[str, t.Any], names_given: bool, slow_ms: float) -> tuple[str, str]:
    """Return (silent, ignorant, slow or "", text) of a resolver."""
    answered = [query for query in resolver["queries"] if query["status"] == "ok"]
    if not answered:
        return "silent", "does not answer"
    codes = [query["rcode"] for query in answered]
    if all(code in FAILED_CODES for code in codes):
        return "silent", f"answers only {codes[0]}"
    missing = [query["name"] for query in answered if query["rcode"] == "NXDOMAIN"]
    if names_given and missing:
        return "ignorant", f"does not know {missing[0]}"
    fastest = _fastest(resolver)
    return ("slow", f"slow: {int(fastest)} ms") if fastest > slow_ms else ("", "")


def _fastest(resolver: Mapping[str, t.Any]) -> float:
    return min((float(query["ms"]) for query in resolver["queries"] if query["ms"] is not None), default=0.0)


def _believed(
    view: View, resolver: Mapping[str, t.Any], kind: str, all_silent: bool, slow_ms: float
) -> tuple[State, str]:
    """Return (state, note). A wrong answer is a hard fact; silence and slowness must last."""
    address = resolver["address"]
    if kind == "silent":
        lost: State = "crit" if all_silent else "watch"
        return persistent(view, "network.resolver_bad", address, 1.0, lambda value: lost if value else "ok")
    if kind == "slow":
        milliseconds = _fastest(resolver)
        return persistent(
            view, "network.resolver_ms", address, milliseconds, lambda value: "watch" if value > slow_ms else "ok"
        )
    return ("watch" if kind else "ok"), ""


def judge_targets(view: View) -> Iterator[Verdict]:
    """Judge the targets that the plan names: two of three must take a connection."""
    targets = view.data("network").get("targets")
    if not targets:
        return
    reached = [target for target in targets if target["status"] == "ok"]
    observed = f"{len(reached)} of {count_text(len(targets), 'target')} reached"
    expected = "two of three"
    if len(reached) * 3 >= len(targets) * 2:
        slowest = max(target["ms"] for target in reached)
        yield Verdict("ok", observed=f"{observed}, slowest {int(slowest)} ms", expected=expected)
        return
    share = len(reached) / len(targets)
    state, note = persistent(view, "network.reached_share", "", share, lambda value: "crit" if value * 3 < 2 else "ok")
    if state == "ok":
        yield Verdict("ok", observed=f"{observed} ({note})", expected=expected)
        return
    lost = ", ".join(f"{target['target']} ({target['status']})" for target in targets if target["status"] != "ok")
    host, _colon, port = targets[0]["target"].rpartition(":")
    command = view.command(
        f"ss -tn state syn-sent; ip route get {host}", f"Test-NetConnection -ComputerName {literal(host)} -Port {port}"
    )
    yield Verdict(
        state,
        observed=observed + (f" ({note})" if note else ""),
        expected=expected,
        summary=f"Not reached from this host: {lost}.",
        command=command,
    )


def series(data: Mapping[str, t.Any]) -> Iterator[tuple[str, str, float]]:
    """Points for history: whether each resolver failed, and the share of targets reached."""
    for resolver in data.get("resolvers") or []:
        answered = any(query["status"] == "ok" and query["rcode"] not in FAILED_CODES for query in resolver["queries"])
        yield ("network.resolver_bad", resolver["address"], 0.0 if answered else 1.0)
        if answered:
            yield ("network.resolver_ms", resolver["address"], _fastest(resolver))
    targets = data.get("targets")
    if targets:
        reached = sum(1 for target in targets if target["status"] == "ok")
        yield ("network.reached_share", "", reached / len(targets))
