# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what probes on Windows sent, as the documents that probes elsewhere send. Pure.

PowerShell on a host reads and decides nothing: numbers, GUIDs, words that Windows does not translate. What they mean
is decided here, where it can be tested. A probe without a reader sends the document itself.
"""

from __future__ import annotations

import json
import typing as t
from collections.abc import Callable, Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_hosts import (
    access,
    antivirus,
    backups,
    certificates,
    disks,
    hardware,
    network,
    packages,
    pressure,
    services,
    system,
    timesync,
)

# What a probe sent, and when it was collected (epoch seconds) -> the data of its document. Raises what Python raises
# over data of another shape.
Reader = Callable[[Mapping[str, t.Any], float], dict[str, t.Any]]
READERS: dict[str, Reader] = {
    "access": access.read,
    "antivirus": antivirus.read,
    "backups": backups.read,
    "certificates": certificates.read,
    "disks": disks.read,
    "hardware": hardware.read,
    "network": network.read,
    "packages": packages.read,
    "pressure": pressure.read,
    "services": services.read,
    "system": system.read,
    "timesync": timesync.read,
}

# For beats of the watch, which ask for parts (see module_utils/watch/agent.psm1).
BEAT_READERS: dict[str, Reader] = {"disks": disks.room, "services": services.read, "system": system.read}


def is_windows(document: Mapping[str, t.Any]) -> bool:
    """True for the observation document of a host that runs modules in PowerShell."""
    return isinstance(document.get("powershell"), str)


def read(document: dict[str, t.Any], readers: Mapping[str, Reader] | None = None) -> dict[str, t.Any]:
    """Return an observation document (see ``observation.check_shape``) with every probe's data as elsewhere.

    Data that cannot be read makes its probe one that failed: the others keep what they saw.
    """
    if not is_windows(document):
        return document
    at = float(document["collected_at"])
    known = READERS if readers is None else readers
    return {
        **document,
        "probes": {name: _record(known.get(name), record, at) for name, record in document["probes"].items()},
    }


def _record(reader: Reader | None, record: dict[str, t.Any], at: float) -> dict[str, t.Any]:
    if reader is None or record["status"] != "ok":
        return record
    try:
        data = reader(record["data"], float(record.get("collected_at", at)))
        # What no evidence can hold (not a number, nested without end) would cost the host all of it.
        json.dumps(data, allow_nan=False)
        return {**record, "data": data}
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as exc:
        detail = f"what the probe sent cannot be read: {type(exc).__name__}: {exc}"
        return {**record, "status": "error", "detail": detail[:300], "data": {}}
