# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what the owner got, what became of promises, what is coming, what is asked. Pure."""

from __future__ import annotations

import datetime
import gettext
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import DAY, State
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import epoch
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import Desk, Shown, first
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.look import Badge
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.owner.telling import title
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.wording import Wording
from ansible_collections.keepwell.fleet.plugins.plugin_utils.service.models import (
    Agreement,
    ComingWindow,
    ServiceRecord,
    Work,
    WorkExample,
)

PROMISES_SHOWN = 3
COMING_SHOWN = 4
DECISIONS_SHOWN = 2
_WINDOWS = 2
# Of what has an end, what is told of beforehand.
_AHEAD_DAYS = 200
_EXCEPTIONS_DAYS = 45
_ENDING = ("lifecycle", "certificates")


@dataclass(frozen=True, slots=True)
class Got:
    """What was done in the period: counts in words, and examples with their dates."""

    counts: list[str]
    examples: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class PromiseLine:
    """A promise, or something that needed work, and what became of it."""

    badge: Badge
    text: str
    outcome: str


@dataclass(frozen=True, slots=True)
class ComingLine:
    """A date and what happens then."""

    day: str
    text: str


@dataclass(frozen=True, slots=True)
class DecisionLine:
    """A question to the owner; ``late`` when its date has passed."""

    ask: str
    by: str
    late: bool
    otherwise: str
    price: str


def got(desk: Desk, say: Wording, service: ServiceRecord) -> Got:
    """Return what the client got; what there was none of is left out."""
    texts, work = desk.texts, service.work
    told: list[tuple[int, str]] = [
        (
            work.looks,
            texts.ngettext("{n} check-up of your machines", "{n} check-ups of your machines", work.looks),
        ),
        (work.updates, texts.ngettext("{n} update installed", "{n} updates installed", work.updates)),
        (work.cves, texts.ngettext("{n} known security hole closed", "{n} known security holes closed", work.cves)),
        (
            work.reboots,
            texts.ngettext("{n} restart, checked afterwards", "{n} restarts, each checked afterwards", work.reboots),
        ),
        (work.restores, _restores(texts, work)),
        (work.antivirus, texts.ngettext("{n} antivirus job", "{n} antivirus jobs", work.antivirus)),
        (
            work.cleaned_hosts,
            texts.ngettext(
                "{n} machine cleaned up, {size} freed", "{n} machines cleaned up, {size} freed", work.cleaned_hosts
            ),
        ),
        (work.failed, texts.ngettext("{n} job went wrong", "{n} jobs went wrong", work.failed)),
    ]
    values = {
        "good": say.number(work.restored),
        "bad": say.number(_wrong(work)),
        "undone": say.number(work.undone),
        "size": say.size(work.freed_bytes),
    }
    return Got(
        counts=[text.format(n=say.number(number), **values) for number, text in told if number],
        examples=[(say.day(entry.at), _example(desk, say, entry)) for entry in work.examples],
    )


def _wrong(work: Work) -> int:
    """How many restores were done and did not bring the right data back."""
    return work.restores - work.restored - work.undone


def _restores(texts: gettext.NullTranslations, work: Work) -> str:
    """Return how many restores were tried, and what became of them; the parts add up."""
    if work.restored == work.restores:
        return texts.ngettext(
            "{n} test restore, which brought the right data back",
            "{n} test restores, all of which brought the right data back",
            work.restores,
        )
    if work.undone == work.restores:
        return texts.ngettext(
            "{n} test restore, which could not be done",
            "{n} test restores, none of which could be done",
            work.restores,
        )
    if _wrong(work) == work.restores:
        return texts.ngettext(
            "{n} test restore, which did not bring the right data back",
            "{n} test restores, none of which brought the right data back",
            work.restores,
        )
    if not work.undone:
        return texts.gettext("{n} test restores: {good} brought the right data back, {bad} did not")
    if not _wrong(work):
        return texts.gettext("{n} test restores: {good} brought the right data back, {undone} could not be done")
    if not work.restored:
        return texts.gettext("{n} test restores: {bad} did not bring the right data back, {undone} could not be done")
    return texts.gettext(
        "{n} test restores: {good} brought the right data back, {bad} did not, {undone} could not be done"
    )


def _example(desk: Desk, say: Wording, entry: WorkExample) -> str:
    texts, amount = desk.texts, say.number(entry.amount)
    if entry.kind == "restore":
        text = texts.gettext("{host}: a test restore brought the right data back")
    elif entry.kind == "cleanup":
        text, amount = texts.gettext("{host}: {n} made free"), say.size(entry.amount)
    elif entry.rebooted:
        text = texts.ngettext(
            "{host}: {n} update installed, restarted", "{host}: {n} updates installed, restarted", entry.amount
        )
    else:
        text = texts.ngettext("{host}: {n} update installed", "{host}: {n} updates installed", entry.amount)
    return text.format(host=say.name(entry.host), n=amount)


def promises(desk: Desk, say: Wording) -> Shown[PromiseLine]:
    """Return what was promised and what needed work when the period began, each with what became of it."""
    agreement = desk.run.header.agreement or Agreement()
    texts, lines = desk.texts, []
    for entry in agreement.agenda.promises:
        state: State = "watch"
        outcome = texts.gettext("until {date}").format(date=say.short(entry.by))
        if entry.kept:
            state, outcome = "ok", texts.gettext("kept on {date}").format(date=say.short(entry.kept))
        elif entry.by < say.today():
            state, outcome = "act", texts.gettext("not kept: it was due {date}").format(date=say.short(entry.by))
        lines.append(_promise(desk, state, entry.what, f"{outcome}. {entry.note}" if entry.note else outcome))
    service = desk.run.service
    for problem in service.earlier if service else ():
        name = f"{texts.pgettext('check', problem.title)} ({say.machines(problem.hosts)})"
        if not problem.left:
            lines.append(_promise(desk, "ok", name, texts.gettext("solved")))
        elif problem.left < problem.hosts:
            text = texts.ngettext("still open on {n} machine", "still open on {n} machines", problem.left)
            lines.append(_promise(desk, "watch", name, text.format(n=say.number(problem.left))))
        else:
            lines.append(_promise(desk, problem.state, name, texts.gettext("still open")))
    return first(lines, PROMISES_SHOWN)


def _promise(desk: Desk, state: State, text: str, outcome: str) -> PromiseLine:
    return PromiseLine(desk.badges[state], text, outcome)


def coming(desk: Desk, say: Wording) -> list[ComingLine]:
    """Return the next dates, in order."""
    agreement = desk.run.header.agreement or Agreement()
    dates = [*_windows(desk, say, agreement), *_endings(desk, say), *_disk(desk, say)]
    dates += [(entry.when, entry.what) for entry in agreement.agenda.dates if entry.when >= say.today()]
    dates.sort(key=lambda pair: pair[0])
    return [ComingLine(say.short(day), text) for day, text in dates[:COMING_SHOWN]]


def _windows(desk: Desk, say: Wording, agreement: Agreement) -> list[tuple[datetime.date, str]]:
    ahead = [window for window in agreement.windows if epoch(window.begin) > desk.clock.now]
    return [(say.local(window.begin).date(), _window(desk, say, window)) for window in ahead[:_WINDOWS]]


def _window(desk: Desk, say: Wording, window: ComingWindow) -> str:
    texts = desk.texts
    hours = texts.pgettext("time of day", "{begin} to {end}").format(
        begin=say.clock(window.begin), end=say.clock(window.end)
    )
    what = texts.gettext("maintenance, restarts possible") if "reboot" in window.allow else texts.gettext("maintenance")
    return f"{hours}, {what}: {say.machines(window.hosts)}"


def _endings(desk: Desk, say: Wording) -> Iterator[tuple[datetime.date, str]]:
    """What ends by itself: support of systems, certificates, decisions to live with something."""
    found: dict[tuple[str, str], set[str]] = {}
    accepted: dict[datetime.date, int] = {}
    for host in desk.run.hosts:
        for result in host.results:
            for finding in result.findings:
                if finding.accepted:
                    day = datetime.date.fromisoformat(finding.accepted.expires)
                    accepted[day] = accepted.get(day, 0) + 1
                elif finding.deadline and result.check.split(".")[0] in _ENDING:
                    found.setdefault((finding.deadline, result.check), set()).add(host.host)
    for (deadline, check), hosts in found.items():
        if desk.clock.now < epoch(deadline) < desk.clock.now + _AHEAD_DAYS * DAY:
            yield say.local(deadline).date(), f"{title(desk, check)}: {say.machines(len(hosts))}"
    for day, number in accepted.items():
        if say.today() <= day <= say.today() + datetime.timedelta(days=_EXCEPTIONS_DAYS):
            text = desk.texts.ngettext("{n} accepted risk ends", "{n} accepted risks end", number)
            yield day, text.format(n=say.number(number))


def _disk(desk: Desk, say: Wording) -> Iterator[tuple[datetime.date, str]]:
    disk = desk.run.service.disk if desk.run.service else None
    if disk is not None:
        text = desk.texts.gettext("{mount} of {host} is full, if nothing is done")
        yield say.local(disk.full_at).date(), text.format(mount=say.name(disk.mount), host=say.name(disk.host))


def decisions(desk: Desk, say: Wording) -> Shown[DecisionLine]:
    """Return what the owner is asked: the provider's own questions, then those that the findings raise."""
    agreement = desk.run.header.agreement or Agreement()
    texts = desk.texts
    lines = []
    for entry in sorted(agreement.agenda.decisions, key=lambda decision: decision.by):
        if not entry.answer:
            price = texts.gettext("costs {price}").format(price=entry.price) if entry.price else ""
            price = price or texts.gettext("no extra cost")
            late = entry.by < say.today()
            lines.append(DecisionLine(entry.ask, say.short(entry.by), late, entry.otherwise, price))
    return first([*lines, *_raised(desk, say)], DECISIONS_SHOWN)


def _raised(desk: Desk, say: Wording) -> Iterator[DecisionLine]:
    """Questions that no provider can answer alone: they cost money, or somebody has to bear a risk."""
    texts = desk.texts
    offer = texts.gettext("we make an offer")
    for pillar in ("lifecycle", "hardware"):
        hosts: set[str] = set()
        deadlines: list[str] = []
        for problem in desk.run.problems:
            if problem.pillar == pillar and problem.state in ("crit", "act"):
                hosts |= set(problem.hosts)
                deadlines += [problem.deadline] if problem.deadline else []
        if not hosts:
            continue
        number = say.number(len(hosts))
        if pillar == "lifecycle":
            ask = texts.ngettext(
                "Replace or upgrade {n} machine that gets no more fixes?",
                "Replace or upgrade {n} machines that get no more fixes?",
                len(hosts),
            )
            otherwise = texts.gettext("New holes in it stay open.")
        else:
            ask = texts.ngettext(
                "Replace failing parts in {n} machine?", "Replace failing parts in {n} machines?", len(hosts)
            )
            otherwise = texts.gettext("It may stop without warning.")
        by = min(deadlines, default="")
        late = bool(by) and epoch(by) < desk.clock.now
        yield DecisionLine(ask.format(n=number), say.day(by) if by else "", late, otherwise, offer)
