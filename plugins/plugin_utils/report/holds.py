# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what a person keeps back, which holds have ended, whose lease a run took over. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import Desk, Shown, first
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import HoldSummary

_SHOWN = 50
_NAMED = 5


@dataclass(frozen=True, slots=True)
class HoldRow:
    """One hold, as a row."""

    until: str
    whom: str
    reason: str
    by: str
    placed: str


@dataclass(frozen=True, slots=True)
class HoldsView:
    """What keeps hosts back. ``taken_over`` is one sentence, "" when this run took nobody's lease over."""

    active: Shown[HoldRow]
    ended: Shown[HoldRow]
    taken_over: str


def holds_view(desk: Desk) -> HoldsView | None:
    """Return what a run tells of holds and its lease; None when there is nothing to tell."""
    run = desk.run
    taken = run.header.taken_over
    if not (run.holds or run.expired_holds or taken):
        return None
    sentence = desk.texts.gettext("This run took over the lease of run {run}, started by {who} at {when}. {why}")
    return HoldsView(
        active=first([_row(desk, entry) for entry in run.holds], _SHOWN),
        ended=first([_row(desk, entry) for entry in run.expired_holds], _SHOWN),
        taken_over=sentence.format(
            run=taken.run_id, who=taken.holder, when=desk.clock.moment(taken.since), why=taken.why
        )
        if taken
        else "",
    )


def _row(desk: Desk, hold: HoldSummary) -> HoldRow:
    return HoldRow(
        until=desk.clock.moment(hold.until),
        whom=_whom(desk, hold),
        reason=hold.reason,
        by=hold.by,
        placed=desk.clock.day(hold.placed_at),
    )


def _whom(desk: Desk, hold: HoldSummary) -> str:
    """Whom a hold is about: some hosts by name, or all of the client."""
    if hold.hosts:
        named = ", ".join(hold.hosts[:_NAMED])
        more = len(hold.hosts) - _NAMED
        return (
            named if more <= 0 else named + desk.texts.ngettext(" and {n} more", " and {n} more", more).format(n=more)
        )
    if hold.except_hosts:
        told = desk.texts.gettext("the whole client but {hosts}")
        return told.format(hosts=", ".join(hold.except_hosts))
    return desk.texts.gettext("the whole client")
