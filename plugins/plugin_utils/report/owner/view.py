# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the owner's page as data: one page that answers what an owner asks. Pure.

Every number comes from the run and its counting function; templates work nothing out.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils import counting
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import DAY
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Grade, epoch
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.brand import Brand
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import Desk, Shown, began, is_provisional
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.owner import agenda, backups, telling
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.owner.charts import (
    BARS,
    AgeBar,
    DayBars,
    DiskCurve,
    age_bars,
    day_bars,
    disk_curve,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.owner.tiles import SECURITY, Tile, tiles
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.wording import Wording


@dataclass(frozen=True, slots=True)
class DaysView:
    """The bars of 90 days, and the same in one sentence."""

    bars: DayBars
    sentence: str
    begin: str
    end: str


@dataclass(frozen=True, slots=True)
class AgesView:
    """How long security updates have been open: bars with labels, and the same in one sentence."""

    bars: list[tuple[AgeBar, str, str]]
    sentence: str


@dataclass(frozen=True, slots=True)
class DiskView:
    """The disk that is full first. ``curve`` is None where too little is known to draw one.

    ``limit`` stands at the line that it can reach.
    """

    heading: str
    sentence: str
    limit: str
    curve: DiskCurve | None


@dataclass(frozen=True, slots=True)
class OwnerView:
    """The page, from top to bottom."""

    desk: Desk
    language: str
    provisional: bool
    client: str
    provider: str
    contact: str
    period: str
    data_as_of: str
    grade: Grade | None
    doubt: str
    grade_lines: list[telling.GradeLine]
    verdict: str
    altered: bool
    tally: telling.Tally
    worst: telling.Worst | None
    tiles: list[Tile]
    days: DaysView | None
    ages: AgesView | None
    disk: DiskView | None
    backups: backups.BackupsView | None
    got: agenda.Got | None
    promises: Shown[agenda.PromiseLine]
    coming: list[agenda.ComingLine]
    decisions: Shown[agenda.DecisionLine]
    run_id: str


def owner_view(desk: Desk, language: str, brand: Brand) -> OwnerView:
    """Return the owner's page of a run. ``desk`` speaks the owner's language; ``brand`` is who sends the page."""
    run = desk.run
    say = Wording(language, desk.texts, desk.clock.zone, desk.clock.now)
    counts = counting.count_run(run.hosts)
    service = run.service
    return OwnerView(
        desk=desk,
        language=language,
        provisional=is_provisional(run),
        client=say.name(run.header.client.name, 70),
        provider=brand.name,
        contact=brand.contact,
        period=_period(desk, say),
        data_as_of=say.moment(run.data_as_of) if run.data_as_of else "",
        grade=run.grade,
        doubt=telling.doubt(desk, say),
        grade_lines=telling.grade_lines(desk, say),
        verdict=telling.verdict(desk.texts, say, counts.hosts),
        altered=bool(run.altered_evidence),
        tally=telling.tally(desk, say, counts.hosts),
        worst=telling.worst(desk, say),
        tiles=tiles(desk, say),
        days=_days(desk, say),
        ages=_ages(desk, say),
        disk=_disk(desk, say),
        backups=backups.backups_view(desk, say),
        got=agenda.got(desk, say, service) if service else None,
        promises=agenda.promises(desk, say),
        coming=agenda.coming(desk, say),
        decisions=agenda.decisions(desk, say),
        run_id=run.header.run_id,
    )


def _period(desk: Desk, say: Wording) -> str:
    service = desk.run.service
    if service is None:
        return say.date(say.today())
    begin, end = (say.date(say.local(at).date()) for at in (service.begin, service.end))
    return desk.texts.gettext("{begin} to {end}").format(begin=begin, end=end)


def _days(desk: Desk, say: Wording) -> DaysView | None:
    service = desk.run.service
    if service is None or not service.days:
        return None
    texts = desk.texts
    bars = day_bars(service.days, say.today())
    parts = [
        texts.ngettext("On {n} day every machine answered", "On {n} days every machine answered", bars.whole).format(
            n=say.number(bars.whole)
        )
    ]
    if bars.partly:
        parts.append(
            texts.ngettext(
                "on {n} day some did not (a taller bar)", "on {n} days some did not (taller bars)", bars.partly
            ).format(n=say.number(bars.partly))
        )
    if bars.unseen:
        parts.append(
            texts.ngettext(
                "on {n} day nobody looked (striped)", "on {n} days nobody looked (striped)", bars.unseen
            ).format(n=say.number(bars.unseen))
        )
    begin = say.today() - datetime.timedelta(days=BARS - 1)
    return DaysView(bars, ", ".join(parts) + ".", say.short(begin), say.short(say.today()))


def _ages(desk: Desk, say: Wording) -> AgesView | None:
    """Of every machine the oldest security update that is open; None where nobody looks for them."""
    texts = desk.texts
    ages: list[int] = []
    clean = unclear = 0
    for host in desk.run.hosts:
        for result in host.results:
            if result.check != SECURITY:
                continue
            if result.state == "unknown":
                unclear += 1
            elif result.findings:
                oldest = min(epoch(began(finding)) for finding in result.findings)
                ages.append(max(0, int((desk.clock.now - oldest) // DAY)))
            else:
                clean += 1
    if not ages and not clean:
        return None
    parts = []
    if ages and not max(ages):
        waiting = texts.ngettext(
            "{n} machine waits, for less than a day.", "{n} machines wait, all for less than a day.", len(ages)
        )
        parts.append(waiting.format(n=say.number(len(ages))))
    elif ages:
        waiting = texts.ngettext(
            "{n} machine waits, for {days}.", "{n} machines wait, the longest for {days}.", len(ages)
        )
        parts.append(waiting.format(n=say.number(len(ages)), days=say.days(max(ages))))
    if clean:
        text = texts.ngettext("{n} has no update open.", "{n} have no update open.", clean)
        parts.append(text.format(n=say.number(clean)))
    if unclear:
        text = texts.ngettext("{n} could not be checked.", "{n} could not be checked.", unclear)
        parts.append(text.format(n=say.number(unclear)))
    bars = [
        (
            column,
            f"{column.first}-{column.last}" if column.last is not None else f"> {column.first - 1}",
            say.number(column.hosts),
        )
        for column in age_bars(ages)
    ]
    return AgesView(bars, " ".join(parts))


def _disk(desk: Desk, say: Wording) -> DiskView | None:
    disk = desk.run.service.disk if desk.run.service else None
    if disk is None:
        return None
    texts = desk.texts
    full, early, late = (say.day(at) for at in (disk.full_at, disk.early_at, disk.late_at))
    now = ""
    sentence = texts.gettext("{mount} of {host}: at this pace full between {early} and {late}.")
    if disk.points:
        now = say.percent(disk.points[-1][1] / 100, 0)
        sentence = texts.gettext(
            "{mount} of {host}: {now} full now, at this pace all of it between {early} and {late}."
        )
    return DiskView(
        heading=texts.gettext("Disk full on {date}").format(date=full),
        sentence=sentence.format(mount=say.name(disk.mount), host=say.name(disk.host), now=now, early=early, late=late),
        limit=say.percent(1, 0),
        curve=disk_curve(disk, desk.clock.now) if len(disk.points) > 1 else None,
    )
