# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: how checks of memory, CPU and storage grade and word what they see. Pure."""

from __future__ import annotations

import math
import typing as t
from collections.abc import Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import State, size_text


def percent_text(value: float) -> str:
    """Return ``12.3 %``, cut off and never rounded up."""
    # The inner rounding only takes away what binary fractions add: 94.9 is kept as 94.89999999999999.
    return f"{math.floor(round(value * 10, 6)) / 10:.1f} %"


def above(value: float, watch: float, crit: float) -> State:
    return "crit" if value > crit else "watch" if value > watch else "ok"


def below(value: float, watch: float, crit: float) -> State:
    return "crit" if value < crit else "watch" if value < watch else "ok"


def users(data: Mapping[str, t.Any], kind: str) -> str:
    """Return who uses most of it: unit or program, never its arguments."""
    names = []
    for process in ((data.get("processes") or {}).get(kind) or [])[:3]:
        size = f" {size_text(process['rss_bytes'])}" if process.get("rss_bytes") else ""
        share = f" {int(process['cpu_percent'])} %" if kind == "top_cpu" else ""
        names.append(f"{process['unit'] or process['comm']}{size}{share}")
    return f" Biggest users: {', '.join(names)}." if names else ""
