# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: may such work begin now? Pure; in every doubt the answer is no."""

from __future__ import annotations

import itertools
import typing as t
from collections.abc import Iterator

from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.calendar import Calendar, Span, Window
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.times import MINUTE, clock

EMERGENCY = "emergency"


class Decision(t.NamedTuple):
    """Whether work may begin now: in which window, until when (epoch; None in an emergency), or why not."""

    open: bool
    name: str = ""
    closes_at: float | None = None
    reason: str = ""


class Opening(t.NamedTuple):
    """A window, or what blackouts leave of it: nothing new begins at ``last`` or later."""

    window: Window
    span: Span
    last: float
    cut_by: str = ""


def is_open(calendar: Calendar, now: float, needed_s: float, what: str) -> Decision:
    """Return whether work of a kind (see kinds.py) that takes ``needed_s`` seconds may begin now."""
    if calendar.emergency is not None and calendar.emergency_by and what in calendar.emergency.allow:
        who, why = calendar.emergency_by
        return Decision(True, EMERGENCY, None, f"emergency, answered for by {who}: {why}")
    allowing = [window for window in calendar.windows if what in window.terms.allow]
    if not allowing:
        which = "is declared (keepwell_windows)"
        if calendar.only:
            which = f"'{calendar.only}' (keepwell_window) is for this host and allows it"
        elif calendar.windows:
            which = "allows it"
        return Decision(False, reason=f"No maintenance window {which}: {what} has to wait.")
    spans = [(window, span) for window in allowing if (span := window.current(now)) is not None]
    closing = calendar.closing(what, now, now + 1)
    if spans and closing and closing[0].begin <= now:
        until = clock(closing[0].end, calendar.zone)
        return Decision(False, reason=f"Blackout '{closing[1]}' until {until}. {_next(calendar, now, what)}")
    refusals = []
    for window, span in sorted(spans, key=lambda entry: -entry[1].end):
        opening = _cut(calendar, window, Span(now, span.end), what, span.end - window.terms.cutoff)
        end = opening.span.end
        # Said positively: whatever cannot be compared is closed.
        if now < opening.last and now + needed_s <= end:
            until = clock(end, calendar.zone)
            return Decision(True, window.name, end, f"'{window.name}' is open until {until}{cut_text(opening.cut_by)}")
        refusals.append(_refusal(calendar, opening, now, needed_s))
    if refusals:
        return Decision(False, reason=f"Too late in the maintenance window: {'; '.join(refusals)}.")
    return Decision(False, reason=f"No maintenance window is open. {_next(calendar, now, what)}")


def cut_text(blackout: str) -> str:
    """Return that a blackout ends a window early, for the end of a sentence; "" when none does."""
    return f", cut by '{blackout}'" if blackout else ""


def _cut(calendar: Calendar, window: Window, span: Span, what: str, last: float) -> Opening:
    """Return what the next blackout leaves of a window."""
    closing = calendar.closing(what, span.begin, span.end)
    if closing is None:
        return Opening(window, span, last)
    end = max(span.begin, closing[0].begin)
    return Opening(window, Span(span.begin, end), min(last, end), closing[1])


def _refusal(calendar: Calendar, opening: Opening, now: float, needed_s: float) -> str:
    end = opening.span.end
    begun = f"'{opening.window.name}' is open until {clock(end, calendar.zone)}{cut_text(opening.cut_by)}, "
    if now < opening.last:
        return f"{begun}which leaves {(end - now) / MINUTE:.0f} minutes; {needed_s / MINUTE:.0f} are needed"
    return f"{begun}and begins nothing new since {clock(opening.last, calendar.zone)}"


def openings(calendar: Calendar, now: float, what: str) -> Iterator[Opening]:
    """Yield what windows that begin after ``now`` leave for such work, in order of their begin, for over a year."""
    allowing = [window for window in calendar.windows if what in window.terms.allow]
    coming = ((span.begin, window.name, window, span) for window in allowing for span in window.after(now))
    for _begin, _name, window, span in sorted(coming, key=lambda entry: entry[:2]):
        rest = span
        while rest.begin < rest.end:
            closing = calendar.closing(what, rest.begin, rest.end)
            if closing is not None and closing[0].begin <= rest.begin:
                rest = Span(closing[0].end, rest.end)
                continue
            opening = _cut(calendar, window, rest, what, span.end - window.terms.cutoff)
            if opening.span.begin < opening.last:
                yield opening
            rest = Span(opening.span.end, rest.end) if closing is not None else Span(rest.end, rest.end)


def _next(calendar: Calendar, now: float, what: str) -> str:
    coming = next(iter(itertools.islice(openings(calendar, now, what), 1)), None)
    if coming is None:
        return "None opens again."
    return f"The next is '{coming.window.name}', {clock(coming.span.begin, calendar.zone)}."
