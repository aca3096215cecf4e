# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what the readers of Windows' raw facts share. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_hosts.system import boot_id

Row = Mapping[str, t.Any]

# HealthStatus of the storage classes (MSFT_StorageFaultDomain and others).
_HEALTH = {0: "healthy", 1: "warning", 2: "unhealthy"}
# OperationalStatus as the common model has it; makers' own codes stay numbers.
_OPERATIONS = {
    0: "unknown",
    1: "other",
    2: "ok",
    3: "degraded",
    4: "stressed",
    5: "predictive failure",
    6: "error",
    7: "non-recoverable error",
    8: "starting",
    9: "stopping",
    10: "stopped",
    11: "in service",
    12: "no contact",
    13: "lost communication",
    14: "aborted",
    15: "dormant",
    16: "supporting entity in error",
    17: "completed",
}


def rows(data: Row, key: str) -> list[Row] | None:
    """Return a list of records; None where the host could not read it."""
    value = data.get(key)
    # PowerShell is quick to make one value of a list of one.
    entries = [value] if isinstance(value, Mapping) else value
    return None if entries is None else [row for row in entries if isinstance(row, Mapping)]


def listed(data: Row, key: str) -> list[Row]:
    """Return a list of records; empty where the host could not read it, too."""
    return rows(data, key) or []


def first(data: Row, key: str) -> Row:
    """Return the only record of a list; empty where there is none."""
    found = rows(data, key)
    return found[0] if found else {}


def number(value: t.Any) -> int | None:
    """Return a whole number (large ones may come as text); None for anything else."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def health(value: t.Any) -> str:
    """healthy, warning, unhealthy or unknown."""
    found = number(value)
    return _HEALTH.get(-1 if found is None else found, "unknown")


def operations(value: t.Any) -> list[str]:
    """Words for an OperationalStatus, which may be one number or several."""
    codes = value if isinstance(value, list) else [] if value is None else [value]
    return [_OPERATIONS.get(code, f"{code:#06x}") for code in map(number, codes) if code is not None]


def boot_of(data: Row) -> str | None:
    """Return the id of the boot, as the system probe has it; counters are compared within one boot."""
    starts = listed(data, "boots")
    if not starts:
        return None
    return boot_id({"started": (starts[0].get("data") or {}).get("StartTime"), "at": starts[0].get("at")})
