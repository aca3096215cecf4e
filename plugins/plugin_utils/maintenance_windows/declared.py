# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: when maintenance is announced, whatever work it is for. Pure.

What the watch writes down, so that agreed availability can leave it out later.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.calendar import Calendar, Span
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.times import ONE_DAY, day_of


def declared(calendar: Calendar, since: float, until: float) -> list[tuple[str, Span]]:
    """Return the windows (name, from when to when) that touch a time, in order.

    Of a window that blackouts close for all of its work only the rest is left: nothing is done in between.
    """
    found = []
    for window in calendar.windows:
        first = day_of(since - window.terms.duration, window.zone) - ONE_DAY
        for span in window.spans(first, day_of(until, window.zone) + ONE_DAY):
            if span.begin < until and since < span.end:
                found += [(window.name, rest) for rest in _open(calendar, window.terms.allow, span)]
    return sorted(found, key=lambda entry: (entry[1].begin, entry[1].end, entry[0]))


def _open(calendar: Calendar, kinds: tuple[str, ...], span: Span) -> Iterator[Span]:
    """Yield the parts of a window in which at least one kind of its work may be done."""
    edges = {span.begin, span.end}
    for kind in kinds:
        for blackout in calendar.blackouts:
            if kind in blackout.terms.scope:
                for closed, _name in blackout.around(span.begin, span.end):
                    edges.update(edge for edge in closed if span.begin < edge < span.end)
    ordered = sorted(edges)
    begin = None
    for left, right in itertools.pairwise(ordered):
        some = any(calendar.closing(kind, left, right) is None for kind in kinds)
        if some and begin is None:
            begin = left
        if not some and begin is not None:
            yield Span(begin, left)
            begin = None
    if begin is not None:
        yield Span(begin, ordered[-1])
