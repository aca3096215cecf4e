# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: compare what listens on a host with what listened before. Pure, as checks are."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import Verdict, View, count_text

EXPECTED = "only what was there before"
_COMMAND_ON_WINDOWS = "Get-NetTCPConnection -State Listen; Get-NetUDPEndpoint; Get-Service"


def name_of(listener: Mapping[str, t.Any]) -> str:
    """Return the stable name of a listener: ``tcp/0.0.0.0:22``, ``udp/[::1]:323``."""
    address = listener["address"]
    return f"{listener['proto']}/{f'[{address}]' if ':' in address else address}:{listener['port']}"


def steady(data: Mapping[str, t.Any]) -> dict[str, Mapping[str, t.Any]]:
    """Return the listeners that matter by name.

    UDP ports that the kernel hands out belong to clients waiting for an answer and change all the time; on Windows
    remote procedure calls listen on such TCP ports, other ones after each start.
    """
    low, high = data.get("ephemeral_ports") or (32768, 60999)
    handed_out = data.get("ephemeral_protocols") or ("udp",)
    return {
        name_of(listener): listener
        for listener in data.get("listeners") or []
        if not (listener["proto"] in handed_out and low <= listener["port"] <= high)
    }


def judge(view: View, new_s: float, expected: Sequence[str]) -> Iterator[Verdict]:
    """Yield a verdict for each new exposed and each missing listener, or one that all is as before."""
    data = view.data("network")
    if data.get("listeners") is None:
        text = "Nobody could tell what listens on this host."
        command = view.command("ss -tulnp", _COMMAND_ON_WINDOWS)
        yield Verdict("unknown", observed="could not be read", expected=EXPECTED, summary=text, command=command)
        return
    now = steady(data)
    before = view.history.previous("network")
    if before is None or before.get("listeners") is None:
        yield Verdict("ok", observed=f"{_count(now)}, remembered from now on", expected=EXPECTED)
        return
    known = steady(before)
    new = {
        name: listener
        for name, listener in now.items()
        if listener["scope"] != "loopback" and _is_new(view, name, name in known, new_s)
    }
    wanted = set(expected)
    new = {name: listener for name, listener in new.items() if not wanted & {name, _short(listener)}}
    # A list that was cut off cannot say that something is missing.
    missing = {} if data.get("listeners_left_out") else {name: known[name] for name in known if name not in now}
    for name, listener in sorted(new.items()):
        who = ", ".join(listener.get("processes") or []) or "a program this user may not see"
        where = "every network of this host" if listener["scope"] == "wildcard" else listener["address"]
        yield Verdict(
            "watch",
            name,
            observed=f"new: {who}",
            expected=EXPECTED,
            summary=f"{who} now listens on port {listener['port']}/{listener['proto']}, open to {where}.",
            command=view.command(
                f"ss -H -{'t' if listener['proto'] == 'tcp' else 'u'}lnp 'sport = :{listener['port']}'",
                f"Get-NetTCPConnection -State Listen -LocalPort {listener['port']}"
                if listener["proto"] == "tcp"
                else f"Get-NetUDPEndpoint -LocalPort {listener['port']}",
            ),
            since=view.history.first_seen("listener", name),
            age_basis="first seen by Keepwell",
            data={"processes": listener.get("processes")},
        )
    for name, listener in sorted(missing.items()):
        who = ", ".join(listener.get("processes") or []) or "what listened there"
        yield Verdict(
            "watch",
            name,
            observed=f"gone: {who}",
            expected=EXPECTED,
            summary=f"Nothing listens on {name} any more; at the previous run {who} did.",
            command=view.command("ss -tulnp; systemctl --failed", _COMMAND_ON_WINDOWS),
        )
    if not new and not missing:
        yield Verdict("ok", observed=f"{_count(now)}, the same as before", expected=EXPECTED)


def _is_new(view: View, name: str, was_there: bool, new_s: float) -> bool:
    """True for a listener that appeared while Keepwell already watched this host, and not long ago."""
    first = view.history.first_seen("listener", name)
    if first is None:
        return not was_there
    watched_before = any(moment < first - 1 for moment, _value in view.history.series("network.listeners", ""))
    return watched_before and view.now - first < new_s


def _short(listener: Mapping[str, t.Any]) -> str:
    return f"{listener['proto']}/{listener['port']}"


def _count(now: Mapping[str, Mapping[str, t.Any]]) -> str:
    exposed = sum(1 for listener in now.values() if listener["scope"] != "loopback")
    return f"{count_text(len(now), 'listener')}, {exposed} reachable from outside"
