# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: how much of a window the work in it took the last time. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import DAY
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.calendar import Calendar, Span
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import epoch

# Longer ago it says nothing of how long the work takes today; a monthly window has its last time in it.
LOOK_BACK_S = 70 * DAY


def used(calendars: Mapping[str, Calendar], changes: Iterable[ChangeRecord]) -> dict[str, float]:
    """Return window -> which part of it (0 to 1, or more where it was outlived) its last use took.

    That is from the first change that was begun in it to the end of the last one, over all hosts and chores. What the
    calendar of today does not have any more is left out, and so is what nobody saw the end of.
    """
    work: dict[str, dict[Span, Span]] = {}
    for change in changes:
        calendar = calendars.get(change.host)
        if calendar is None or change.entered_at is None or change.ended_at is None or change.begun_by:
            continue
        entered, ended = epoch(change.entered_at), epoch(change.ended_at)
        for window in calendar.windows:
            if window.name == change.window and (opening := window.current(entered)) is not None:
                seen = work.setdefault(window.name, {})
                known = seen.get(opening, Span(entered, ended))
                seen[opening] = Span(min(known.begin, entered), max(known.end, ended))
    found = {}
    for name, seen in work.items():
        opening = max(seen)
        found[name] = (seen[opening].end - seen[opening].begin) / (opening.end - opening.begin)
    return found
