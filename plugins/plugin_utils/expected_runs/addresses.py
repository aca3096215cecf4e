# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: where the end of a run is told: a file of metrics, an address to call. Pure."""

from __future__ import annotations

import typing as t
import urllib.parse
from collections.abc import Mapping

_SCHEMES = ("http", "https")


def problems(variables: Mapping[str, t.Any], entries: t.Collection[str]) -> list[str]:
    """Return what is wrong with ``keepwell_metrics_file`` and ``keepwell_ping_url``, a sentence each.

    No sentence holds an address: whoever knows one can say that all is well.
    """
    found = []
    path = variables.get("keepwell_metrics_file")
    if path is not None and (not isinstance(path, str) or not path.startswith("/") or not path.endswith(".prom")):
        found.append(f"keepwell_metrics_file: '{path}' should be an absolute path that ends in .prom.")
    given = variables.get("keepwell_ping_url")
    for name, address in (given if isinstance(given, Mapping) else {"": given}).items():
        where = f"keepwell_ping_url{'.' + str(name) if name else ''}"
        if address is not None and not _is_address(address):
            found.append(f"{where} should be an http or https address, or a mapping of schedule entries to addresses.")
        if name and entries and name not in entries:
            found.append(f"{where}: keepwell_schedule has no such entry. There are: {', '.join(sorted(entries))}.")
    return found


def _is_address(value: t.Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        parts = urllib.parse.urlsplit(value)
        return parts.scheme in _SCHEMES and bool(parts.hostname)
    except ValueError:
        return False
