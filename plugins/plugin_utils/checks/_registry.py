# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: every pillar's checks, in the order in which reports show them.

A pillar module has a ``Policy`` section, checks made with ``@check``, and where it needs memory: ``series(view)``
(points for history: metric, object, value) and ``sightings(view)`` (things whose first appearance matters: kind,
name). Both are called only with probes that answered; they skip what is missing.
"""

from __future__ import annotations

import types
from collections.abc import Iterator

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks import (
    access,
    antivirus,
    availability,
    backup,
    capacity,
    certificates,
    hardware,
    lifecycle,
    network,
    patching,
    services,
    time,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import REGISTRY, Check, Section, View

PILLARS: dict[str, types.ModuleType] = {
    "availability": availability,
    "patching": patching,
    "antivirus": antivirus,
    "backup": backup,
    "capacity": capacity,
    "services": services,
    "hardware": hardware,
    "network": network,
    "time": time,
    "certificates": certificates,
    "lifecycle": lifecycle,
    "access": access,
}
CHECKS: tuple[Check, ...] = tuple(check for pillar in PILLARS for check in REGISTRY.values() if check.pillar == pillar)
SECTIONS: dict[str, type[Section]] = {pillar: module.Policy for pillar, module in PILLARS.items()}


def series(view: View) -> Iterator[tuple[str, str, float]]:
    """All points (metric, object, value) that this observation adds to history."""
    for module in PILLARS.values():
        if hasattr(module, "series"):
            yield from module.series(view)


def sightings(view: View) -> Iterator[tuple[str, str]]:
    """All things (kind, name) seen in this observation whose first appearance history keeps."""
    for module in PILLARS.values():
        if hasattr(module, "sightings"):
            yield from module.sightings(view)
