# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Patching: what is offered, what is withheld and by whom, what is installed but not running?

The order of the imports is the order in reports.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks import (
    _patching_host,
    _patching_kept,
    _patching_pending,
    _patching_running,
    _patching_windows,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import View
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._patching_policy import Policy, key

__all__ = ["Policy", "series", "sightings"]
# Importing these modules registers their checks.
PARTS = (_patching_host, _patching_kept, _patching_pending, _patching_running, _patching_windows)


def sightings(view: View) -> Iterator[tuple[str, str]]:
    """Yield what this host waits for, so that the next run knows since when.

    ``pending`` is package and version, ``pending_security`` the package alone: newer versions do not reset that clock.
    """
    record = view.probes.get("packages")
    if record is None or record.status != "ok":
        return
    for update in record.data["pending"] or []:
        yield "pending", key(update)
        if update["class"] in ("security", "unknown"):
            yield "pending_security", update["name"]
    for reason in record.data["reboot"]["reasons"]:
        yield "reboot", reason["kind"]
    for group in record.data["services_restart"] or []:
        if group["restartable"]:
            yield "old_code", group["unit"]


def series(view: View) -> Iterator[tuple[str, str, float]]:
    """Yield the number of open security updates for the trend."""
    record = view.probes.get("packages")
    if record is None or record.status != "ok" or record.data["pending"] is None:
        return
    count = sum(1 for update in record.data["pending"] if update["class"] == "security")
    yield "pending_security", "", float(count)
