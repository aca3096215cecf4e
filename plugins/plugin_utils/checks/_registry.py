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
import typing as t
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

# Beyond any measure; infinity, NaN and whole numbers that no database column holds are not below it.
_LARGEST = 1e300


def series(view: View) -> Iterator[tuple[str, str, float]]:
    """All points (metric, object, value) that this observation adds to history: texts and a finite number."""
    for metric, name, value in _harvest("series", view):
        if isinstance(name, str) and isinstance(value, (int, float)) and abs(value) < _LARGEST:
            yield metric, name, float(value)


def sightings(view: View) -> Iterator[tuple[str, str]]:
    """All things (kind, name) seen in this observation whose first appearance history keeps: texts."""
    for kind, name in _harvest("sightings", view):
        if isinstance(kind, str) and isinstance(name, str):
            yield kind, name


def _harvest(hook: str, view: View) -> Iterator[tuple[t.Any, ...]]:
    """What the hooks of all pillars give. Data of the wrong kind costs its host this pillar's part, never the run."""
    for module in PILLARS.values():
        if hasattr(module, hook):
            try:
                yield from tuple(getattr(module, hook)(view))
            except Exception:  # noqa: BLE001, S112 - the pillar's checks tell of it: the same data makes them unknown
                continue
