# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what engines told Windows Security of themselves. Pure.

``productState`` is a number whose bits Microsoft does not document; these are the ones that its own examples and the
header iwscapi.h agree on (WSC_SECURITY_PRODUCT_STATE, WSC_SECURITY_SIGNATURE_STATUS).
"""

from __future__ import annotations

import email.utils
import typing as t
from collections.abc import Mapping, Sequence

_STATES = {0x0000: "off", 0x1000: "on", 0x2000: "snoozed", 0x3000: "expired"}
_OUTDATED = 0x10
# Defender's own entry has the same id everywhere.
_DEFENDER = "{d68ddc3a-831f-4fae-9e44-da132c1acf46}"


def entries(raw: Sequence[Mapping[str, t.Any]] | None) -> list[dict[str, t.Any]] | None:
    """Return what is registered: {"name", "guid", "state", "word", "outdated", "stale", "defender"}; None on servers.

    An entry is stale when its program is gone, or when a newer one of the same name is there: products that are taken
    off or renewed leave entries behind.
    """
    if raw is None:
        return None
    found = []
    for entry in raw:
        state = int(entry["state"])
        newer = [
            twin
            for twin in raw
            if twin["name"] == entry["name"] and twin is not entry and _moment(twin) > _moment(entry)
        ]
        found.append(
            {
                "name": entry["name"],
                "guid": entry["guid"],
                "state": state,
                "word": _STATES.get(state & 0xF000, "unknown"),
                "outdated": state & 0xF0 == _OUTDATED,
                "stale": entry.get("program_exists") is False or bool(newer),
                "defender": str(entry["guid"]).lower() == _DEFENDER,
            }
        )
    return found


def _moment(entry: Mapping[str, t.Any]) -> float:
    """Epoch seconds of an entry's time (``Fri, 27 Nov 2026 09:00:00 GMT``); 0 when it has none."""
    try:
        return email.utils.parsedate_to_datetime(str(entry.get("timestamp") or "")).timestamp()
    except ValueError:
        return 0.0


def apply(engine: dict[str, t.Any], told: Sequence[Mapping[str, t.Any]]) -> None:
    """Put what an engine told Windows Security into its facts."""
    words = {entry["word"] for entry in told}
    issues = [
        *(["the subscription has expired"] if "expired" in words else []),
        *(["switched off for a time"] if "snoozed" in words else []),
        *(["its definitions are out of date"] if any(entry["outdated"] for entry in told) else []),
    ]
    if "on" in words:
        engine["realtime"] = "on"
    elif words & {"off", "snoozed", "expired"}:
        engine["realtime"] = "off"
    if engine["running"] is None:
        # No service of it is known: one that says it is on runs.
        engine["running"] = True if "on" in words else False if words == {"off"} else None
    if issues:
        engine["healthy"] = False
        engine["health_issues"] = issues
    if "expired" in words:
        engine["licensed"] = False
