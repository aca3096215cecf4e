# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what the watch saw of availability, and what did not run, as lines of a report. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import SEVERITY
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import Desk, HostLink, Shown, first
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.look import Badge
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import AvailabilityRow, OutageRecord

ROWS_SHOWN = 40
OUTAGES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class AvailabilityLine:
    """One host, one service of a host, or (without a host) all hosts together."""

    badge: Badge
    host: HostLink | None
    service: str
    observed: str
    pessimistic: str
    optimistic: str
    coverage: str
    target: str
    left: str
    late: bool
    down: str
    excluded: str
    outages: int
    restarts: int
    note: str
    sentence: str


@dataclass(frozen=True, slots=True)
class OutageLine:
    """One outage: all of it, and what of it counts."""

    host: HostLink
    service: str
    begin: str
    end: str
    length: str
    doubt: str
    counted: str


@dataclass(frozen=True, slots=True)
class AvailabilityView:
    """The section."""

    begin: str
    end: str
    beats: int
    together: AvailabilityLine
    rows: Shown[AvailabilityLine]
    outages: Shown[OutageLine]
    altered: list[str]


@dataclass(frozen=True, slots=True)
class MissedLine:
    """What of the schedule did not take place."""

    badge: Badge
    text: str


def availability_view(desk: Desk) -> AvailabilityView | None:
    """Return what the watch saw; None where there is none."""
    found = desk.run.availability
    if found is None:
        return None
    # Links lead only to hosts that the report has.
    links = {host.host: desk.link(host.host) for host in desk.run.hosts}
    ranked = sorted(found.rows[1:], key=lambda row: (-SEVERITY.index(row.state), row.observed_percent or 0.0, row.host))
    return AvailabilityView(
        begin=desk.clock.moment(found.begin),
        end=desk.clock.moment(found.end),
        beats=found.beats,
        together=_line(desk, links, found.rows[0]),
        rows=first([_line(desk, links, row) for row in ranked], ROWS_SHOWN),
        outages=first([_outage(desk, links, entry) for entry in found.outages], OUTAGES_SHOWN),
        altered=list(found.altered),
    )


def missed_lines(desk: Desk) -> list[MissedLine]:
    """Return the runs of the schedule that did not take place."""
    return [MissedLine(desk.badges[entry.state], entry.text) for entry in desk.run.missed_runs]


def _link(links: Mapping[str, HostLink], host: str) -> HostLink:
    return links.get(host, HostLink(host, ""))


def _line(desk: Desk, links: Mapping[str, HostLink], row: AvailabilityRow) -> AvailabilityLine:
    gettext_ = desk.texts.gettext
    left = row.budget_left_s
    text = ""
    if left is not None:
        length = desk.length(left)
        text = (gettext_("{length} left") if left >= 0 else gettext_("{length} over")).format(length=length)
    return AvailabilityLine(
        badge=desk.badges[row.state],
        host=_link(links, row.host) if row.host else None,
        service=row.service,
        observed=desk.percent(row.observed_percent),
        pessimistic=desk.percent(row.pessimistic_percent),
        optimistic=desk.percent(row.optimistic_percent),
        coverage=desk.percent(row.coverage_percent),
        target="" if row.target_percent is None else desk.percent(row.target_percent),
        left=text,
        late=left is not None and left < 0,
        down=desk.length(row.down_s) if row.down_s else "",
        excluded=desk.length(row.excluded_s) if row.excluded_s else "",
        outages=row.outages,
        restarts=row.restarts,
        note=row.note,
        sentence=_sentence(desk, row),
    )


def _sentence(desk: Desk, row: AvailabilityRow) -> str:
    gettext_ = desk.texts.gettext
    text = gettext_("observed {observed}, with its gaps {low} to {high}, {known} of the time known").format(
        observed=desk.percent(row.observed_percent),
        low=desk.percent(row.pessimistic_percent),
        high=desk.percent(row.optimistic_percent),
        known=desk.percent(row.coverage_percent),
    )
    if row.target_percent is not None:
        text += gettext_(", agreed {target}").format(target=desk.percent(row.target_percent))
    return f"{text}: {row.note}" if row.note else text


def _outage(desk: Desk, links: Mapping[str, HostLink], entry: OutageRecord) -> OutageLine:
    return OutageLine(
        host=_link(links, entry.host),
        service=entry.service,
        begin=desk.clock.moment(entry.begin),
        end=desk.clock.moment(entry.end) if entry.end else "",
        length=desk.length(entry.seconds),
        doubt=desk.length(entry.uncertainty_s),
        counted=desk.length(entry.counted_s),
    )
