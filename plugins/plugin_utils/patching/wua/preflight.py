# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what has to be true of a Windows host beside what holds for every host. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import Fact
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.options import Options

# A monthly update unpacks what it brings, and keeps what it replaces (domain 1.7).
FREE_BYTES: t.Final = 10 << 30
MEND: t.Final = "Repair the component store first: DISM /Online /Cleanup-Image /RestoreHealth."
WAIT: t.Final = "Wait for its end; the host's registry says who it is, below HKLM\\SOFTWARE\\Keepwell."
# What other machines share with this one: its nodes must not be patched together.
_SHARED: t.Final = {"failover_cluster": "a failover cluster", "exchange_dag": "an Exchange availability group"}
_NAMES: t.Final = {
    "domain_controller": "domain controller",
    "sql_server": "SQL Server",
    "exchange": "Exchange",
    "hyper_v": "Hyper-V",
    **_SHARED,
}


def fresh(reasons: Sequence[str], hours: float) -> Fact:
    """Tell whether what Windows Update offers can be believed to be all there is."""
    return Fact(
        name="freshness",
        passed=not reasons,
        code="stale" if reasons else "",
        observed="; ".join(reasons) or "Windows Update was asked lately, and offers all there is",
        expected=f"its source was asked within {hours:g} hours, and nothing is kept back" if reasons else "",
        advice="Look at the update source and at policies; let the host ask again (patching_refresh)."
        if reasons
        else "",
    )


def roles(look: Mapping[str, t.Any], options: Options) -> Iterator[Fact]:
    """Tell what the host is; a node of something shared needs a pair, so that its others wait for it."""
    found = look.get("roles")
    if found is None:
        return
    shared = [_SHARED[role] for role in found if role in _SHARED]
    alone = bool(shared) and not options.pair
    yield Fact(
        name="roles",
        passed=not alone,
        code="no_pair" if alone else "",
        observed=", ".join(_NAMES.get(role, role) for role in found) or "no role that others depend on is known",
        expected="patching_pair names what it belongs to" if alone else "",
        advice=f"It is a node of {shared[0]}: give all of its nodes the same patching_pair." if alone else "",
    )


def cluster(look: Mapping[str, t.Any]) -> Iterator[Fact]:
    """A node that carries groups of a failover cluster is not rebooted below them."""
    node = look.get("cluster")
    if not node:
        return
    busy = node.get("state") != "paused"
    yield Fact(
        name="cluster",
        passed=not busy,
        code="cluster" if busy else "",
        observed=f"this node of the failover cluster is {node.get('state') or 'in a state that nobody knows'}",
        expected="it is paused and carries nothing" if busy else "",
        advice="Drain it first (Suspend-ClusterNode -Drain), and resume it afterwards." if busy else "",
    )
