# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: which hosts go together, and which kinds of systems need a canary of their own. Pure."""

from __future__ import annotations

import hashlib
import math
import typing as t
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Model
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import kinds

# Of the hosts of a kind that are left, when nobody declared a ring: one, then these shares, then the rest (domain 1.8).
_SHARES = (0.1, 0.5)


class Wish(t.NamedTuple):
    """What is asked for a host: its ring and its pair where they are declared; its kind; whether this run has it."""

    ring: int | None = None
    pair: str | None = None
    kind: str = kinds.UNKNOWN
    here: bool = True

    @property
    def unseen(self) -> bool:
        """True when it may be of any kind: nobody ever looked, and this run does not either."""
        return self.kind == kinds.UNKNOWN and not self.here


class Batch(Model):
    """Hosts that are patched at the same time."""

    ring: int
    hosts: list[str]


class Schedule(Model):
    """All hosts of an inventory in their rings; ``batches`` is the order in which they go.

    ``declared`` are the hosts whose ring was declared. Where there are none the rings were made, for each kind by
    itself: hosts in rings of one number go together, and wait for the earlier rings of their own kind. ``unseen`` are
    the rings that hosts which nobody has looked at would have in each kind: any of them may be its canary.
    """

    rings: dict[str, int]
    kinds: dict[str, str] = {}
    declared: list[str] = []
    unseen: dict[str, dict[str, int]] = {}
    pairs: dict[str, str] = {}
    batches: list[Batch]

    def ring_of(self, host: str) -> int:
        """Number of a host's ring, from 1; the last one for a host that is not in the schedule."""
        return self.rings.get(host, max(self.rings.values(), default=1))

    def kind_of(self, host: str) -> str:
        """The kind of a host's system."""
        return self.kinds.get(host, kinds.UNKNOWN)

    def partners(self, host: str) -> list[str]:
        """The other nodes of the host's pair or cluster."""
        pair = self.pairs.get(host)
        return sorted(other for other, name in self.pairs.items() if pair and name == pair and other != host)

    def awaited(self, host: str, ring: int) -> list[str]:
        """The hosts of an earlier ring that have to be well before this host goes."""
        members = [name for name, number in self.rings.items() if number == ring]
        if self.declared or host not in self.kinds:
            return sorted(members)
        kind = self.kind_of(host)
        unseen = [name for name, number in self.unseen.get(kind, {}).items() if number == ring]
        return sorted({*unseen, *(name for name in members if self.kind_of(name) == kind)})

    def reason(self, host: str) -> str:
        """Why a host is in its ring, in words."""
        ring, kind = self.ring_of(host), self.kind_of(host)
        mates = {name: self.rings[name] for name, other in self.kinds.items() if other == kind}
        if self.declared:
            alone = ring > 1 and kind != kinds.UNKNOWN and min(mates.values(), default=ring) == ring
            return ("by patching_ring" if host in self.declared else "the last one, for it has no patching_ring") + (
                f"; no {kinds.host(kind)} goes before it" if alone else ""
            )
        unseen = self.unseen.get(kind, {})
        among = f"{len(mates)} {kinds.hosts(kind) if len(mates) > 1 else kinds.host(kind)}"
        if unseen:
            among += f" and {len(unseen)} that nobody has looked at"
        elif len(mates) < 2:
            return f"the only {kinds.host(kind)}"
        if ring == 1:
            return f"the canary of {among}"
        return f"step {ring} of {max(*mates.values(), *unseen.values())} for {among}"


def schedule(wanted: Mapping[str, Wish]) -> Schedule:
    """Return the schedule of hosts.

    Hosts without a ring come last. When no host has one, rings are made for each kind: one host, 10 %, 50 % and the
    rest, in an order that depends on nothing but the names. Nodes of one pair never share a batch. A host that may be
    of any kind has its place in each, so that no other takes it.
    """
    pairs = {host: wish.pair for host, wish in wanted.items() if wish.pair}
    declared = {host: wish.ring for host, wish in wanted.items() if wish.ring}
    unseen: dict[str, dict[str, int]] = {}
    if declared:
        last = max(declared.values()) + 1
        numbers = {number: index for index, number in enumerate(sorted({*declared.values(), last}), start=1)}
        rings = {host: numbers[declared.get(host, last)] for host in wanted}
    else:
        rings = {}
        for kind in sorted({wish.kind for wish in wanted.values()}):
            members = {host for host, wish in wanted.items() if wish.kind == kind}
            others = {host for host, wish in wanted.items() if wish.unseen} - members
            made = _made_rings([*members, *others], pairs)
            rings |= {host: made[host] for host in members}
            if others:
                unseen[kind] = {host: made[host] for host in sorted(others)}
    rings = dict(sorted(rings.items()))
    batches = []
    for ring in sorted(set(rings.values())):
        together = [host for host, number in rings.items() if number == ring]
        batches += [Batch(ring=ring, hosts=hosts) for hosts in _apart(together, pairs)]
    return Schedule(
        rings=rings,
        kinds={host: wish.kind for host, wish in sorted(wanted.items())},
        declared=sorted(declared),
        unseen=unseen,
        pairs=dict(sorted(pairs.items())),
        batches=batches,
    )


def _made_rings(hosts: Sequence[str], pairs: Mapping[str, str]) -> dict[str, int]:
    """Rings for the hosts of a kind, from 1. A canary is no node of a pair where another host can be it."""
    rest = sorted(hosts, key=lambda host: (host in pairs, hashlib.sha256(host.encode("utf-8", "replace")).digest()))
    sizes = [1, *(max(1, math.ceil(share * (len(rest) - 1))) for share in _SHARES), len(rest)]
    rings: dict[str, int] = {}
    for ring, size in enumerate(sizes, start=1):
        rings |= dict.fromkeys(rest[:size], ring)
        rest = rest[size:]
    return rings


def _apart(members: Sequence[str], pairs: Mapping[str, str]) -> Iterator[list[str]]:
    """Split the hosts of a ring so that no two nodes of a pair are together: the n-th nodes of all pairs, in turn."""
    turns: list[list[str]] = []
    seen: dict[str, int] = {}
    for host in members:
        pair = pairs.get(host)
        turn = seen.get(pair, 0) if pair else 0
        if pair:
            seen[pair] = turn + 1
        while len(turns) <= turn:
            turns.append([])
        turns[turn].append(host)
    yield from turns
