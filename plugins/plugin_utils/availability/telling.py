# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: availability as a table for people, and the months that are asked for. Pure."""

from __future__ import annotations

import datetime
import re
from zoneinfo import ZoneInfo

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import duration_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.times import moment
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Availability, AvailabilityRow

_MIDNIGHT = datetime.time()
_COLUMNS = ("", "observed", "if gaps were down", "if gaps were up", "known", "agreed", "down", "outages")


def month(asked: str | None, zone: ZoneInfo, now: float) -> tuple[str, float, float]:
    """Return a month of the client's calendar: its name, its begin and its end; of the running one, what is over.

    Without a month it is the last one that is over. Raises ValueError with a sentence.
    """
    today = datetime.datetime.fromtimestamp(now, zone).date()
    if asked is None:
        first = (today.replace(day=1) - datetime.timedelta(days=1)).replace(day=1)
    elif re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", asked):
        first = datetime.date.fromisoformat(f"{asked}-01")
    else:
        raise ValueError(f"month: '{asked}' is no month like 2026-10.")
    begin = moment(first, _MIDNIGHT, zone)
    if begin >= now:
        raise ValueError(f"month: {asked} has not begun.")
    following = (first + datetime.timedelta(days=32)).replace(day=1)
    return f"{first:%Y-%m}", begin, min(now, moment(following, _MIDNIGHT, zone))


def percent(value: float | None) -> str:
    """Return ``99.95 %``, or a dash for what is not known."""
    return "-" if value is None else f"{value:.3f}".rstrip("0").rstrip(".") + " %"


def name_of(row: AvailabilityRow) -> str:
    """Return what a row is about."""
    return f"{row.host} {row.service}".strip() or "all hosts"


def table(title: str, found: Availability) -> str:
    """Return the figures as aligned lines, with what is wrong with them."""
    cells = [_COLUMNS]
    for row in found.rows:
        observed = percent(row.observed_percent)
        cells.append(
            (
                name_of(row),
                f"({observed})" if row.state == "unknown" else observed,
                percent(row.pessimistic_percent),
                percent(row.optimistic_percent),
                percent(row.coverage_percent),
                percent(row.target_percent),
                duration_text(row.down_s),
                str(row.outages),
            )
        )
    widths = [max(len(line[place]) for line in cells) for place in range(len(_COLUMNS))]
    lines = [title, *("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)]
    lines += [f"  {name_of(row)}: {row.note}" for row in found.rows if row.note]
    lines += [f"  {sentence}" for sentence in found.altered]
    return "\n".join(line.rstrip() for line in lines)
