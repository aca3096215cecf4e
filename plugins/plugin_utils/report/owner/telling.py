# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the answer of the owner's page in words: verdict, worst problem, the way to an A. Pure."""

from __future__ import annotations

import gettext
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils import counting, verdicts
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import Pillar, State
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Counts, Problem, epoch
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import Desk
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.look import Badge
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.wording import Wording


@dataclass(frozen=True, slots=True)
class Worst:
    """What worries most: what it is, since and until when, and what it means for the business."""

    badge: Badge
    title: str
    when: str
    means: str


@dataclass(frozen=True, slots=True)
class GradeLine:
    """What would make the grade an A; ``limit`` is what the grade can be until then, "" for no rule."""

    text: str
    limit: str


@dataclass(frozen=True, slots=True)
class Tally:
    """All machines as a sum that a reader can follow: what is open, then what is in good shape, then all of them.

    ``good`` says the sum of ``well`` where that has two parts, "" where it is one.
    """

    open: list[tuple[Badge, str]]
    good: str
    well: list[tuple[Badge, str]]
    total: str


def title(desk: Desk, check: str) -> str:
    """Return a check's title in the reader's language."""
    return desk.texts.pgettext("check", desk.title(check))


def verdict(texts: gettext.NullTranslations, say: Wording, hosts: Counts) -> str:
    """Return one to three sentences about all machines, the worst first."""
    total = say.number(hosts.total)
    if not hosts.total:
        return texts.gettext("No machine was looked at.")
    if hosts.good == hosts.total:
        return _all_well(texts, hosts).format(total=total, n=say.number(hosts.accepted))
    if hosts.crit:
        first = texts.ngettext(
            "{n} of {total} machines is in danger: it needs work at once.",
            "{n} of {total} machines are in danger: they need work at once.",
            hosts.crit,
        ).format(n=say.number(hosts.crit), total=total)
    elif hosts.act:
        first = texts.ngettext(
            "{n} of {total} machines needs work soon.", "{n} of {total} machines need work soon.", hosts.act
        ).format(n=say.number(hosts.act), total=total)
    elif hosts.unknown:
        first = texts.ngettext(
            "{n} of {total} machines could not be fully checked.",
            "{n} of {total} machines could not be fully checked.",
            hosts.unknown,
        ).format(n=say.number(hosts.unknown), total=total)
    else:
        first = texts.ngettext(
            "Nothing needs work now; {n} of {total} machines is watched more closely.",
            "Nothing needs work now; {n} of {total} machines are watched more closely.",
            hosts.watch,
        ).format(n=say.number(hosts.watch), total=total)
    told = [first]
    if hosts.crit and hosts.act:
        more = texts.ngettext("{n} more needs work soon.", "{n} more need work soon.", hosts.act)
        told.append(more.format(n=say.number(hosts.act)))
    if hosts.good:
        told.append(f"{verdicts.good_shape(hosts, texts, say.number)}.")
    return " ".join(told)


def _all_well(texts: gettext.NullTranslations, hosts: Counts) -> str:
    if hosts.accepted:
        return texts.ngettext(
            "Your machine is in good shape, with an accepted risk.",
            "All {total} machines are in good shape, {n} of them with an accepted risk.",
            hosts.total,
        )
    return texts.ngettext("Your machine is in good shape.", "All {total} machines are in good shape.", hosts.total)


def tally(desk: Desk, say: Wording, hosts: Counts) -> Tally:
    """Return the six states in the words of the verdict, so that its numbers are found again."""
    texts = desk.texts
    good = texts.ngettext("{n} in good shape", "{n} in good shape", hosts.good)
    words: dict[State, str] = {
        "crit": texts.ngettext("{n} in danger", "{n} in danger", hosts.crit),
        "act": texts.ngettext("{n} needs work soon", "{n} need work soon", hosts.act),
        "unknown": texts.ngettext("{n} not fully checked", "{n} not fully checked", hosts.unknown),
        "watch": texts.ngettext("{n} watched more closely", "{n} watched more closely", hosts.watch),
        "ok": texts.ngettext("{n} where all is well", "{n} where all is well", hosts.ok) if hosts.accepted else good,
        "accepted": texts.ngettext("{n} with an accepted risk", "{n} with an accepted risk", hosts.accepted),
    }

    def part(state: State) -> tuple[Badge, str]:
        return desk.badges[state], words[state].format(n=say.number(getattr(hosts, state)))

    well: tuple[State, ...] = ("ok", "accepted") if hosts.accepted else ("ok",)
    return Tally(
        open=[part(state) for state in counting.OPEN_STATES],
        good=good.format(n=say.number(hosts.good)) if hosts.accepted else "",
        well=[part(state) for state in well],
        total=say.machines(hosts.total),
    )


def doubt(desk: Desk, say: Wording) -> str:
    """Return what the question mark behind the grade says; "" where there is none."""
    if not desk.doubt:
        return ""
    hosts = desk.run.hosts
    unseen = sum(not host.contact.reached for host in hosts)
    return desk.texts.ngettext(
        "The question mark: {n} of {total} machines could not be reached, so this grade is not certain.",
        "The question mark: {n} of {total} machines could not be reached, so this grade is not certain.",
        unseen,
    ).format(n=say.number(unseen), total=say.number(len(hosts)))


def worst(desk: Desk, say: Wording) -> Worst | None:
    """Return the worst problem; machines that nobody can see come before what is only watched."""
    run, texts = desk.run, desk.texts
    reached = [host for host in run.hosts if host.contact.reached]
    open_now = counting.problems(reached, run.checks)
    urgent = [problem for problem in open_now if problem.state in ("crit", "act")]
    if urgent:
        return _problem(desk, say, urgent[0])
    silent = len(run.hosts) - len(reached)
    if silent:
        text = texts.ngettext("{n} machine could not be reached", "{n} machines could not be reached", silent)
        means = _means(texts, "availability")
        return Worst(desk.badges["unknown"], text.format(n=say.number(silent)), "", means)
    return _problem(desk, say, open_now[0]) if open_now else None


def _problem(desk: Desk, say: Wording, problem: Problem) -> Worst:
    texts = desk.texts
    when = texts.gettext("since {date}").format(date=say.day(problem.since))
    if problem.deadline:
        late = epoch(problem.deadline) < desk.clock.now
        due = texts.gettext("was due {date}") if late else texts.gettext("due {date}")
        when = f"{when}, {due.format(date=say.day(problem.deadline))}"
    return Worst(
        badge=desk.badges[problem.state],
        title=f"{title(desk, problem.check)}: {_where(say, problem)}",
        when=when,
        means=_means(texts, problem.pillar),
    )


def _where(say: Wording, problem: Problem) -> str:
    """Return where a problem is: the machine's name where it is one, else how many."""
    return problem.hosts[0] if len(problem.hosts) == 1 else say.machines(len(problem.hosts))


def _means(texts: gettext.NullTranslations, pillar: Pillar) -> str:
    """Return what a problem of this pillar means for a business."""
    meanings: dict[Pillar, str] = {
        "availability": texts.gettext("Until we see it again, nobody can say whether it is well."),
        "patching": texts.gettext("Known holes stay open until the updates are in."),
        "antivirus": texts.gettext("Malware may go unnoticed."),
        "backup": texts.gettext("What is lost there may not come back."),
        "capacity": texts.gettext("When the disk is full, work on it stops."),
        "services": texts.gettext("Something your people use may not run."),
        "hardware": texts.gettext("A part may fail and stop the machine."),
        "network": texts.gettext("It may not be reached when it is needed."),
        "time": texts.gettext("Log-ins and records go wrong when clocks differ."),
        "certificates": texts.gettext("Browsers and mail programs will refuse to connect."),
        "lifecycle": texts.gettext("No more fixes come for it: new holes stay open."),
        "access": texts.gettext("Somebody may get in who should not."),
    }
    return meanings[pillar]


def grade_lines(desk: Desk, say: Wording) -> list[GradeLine]:
    """Return what would make the grade an A, at most three lines, in the reader's words where the run gives them."""
    grade = desk.run.grade
    if grade is None:
        return []
    if not grade.steps:
        return [GradeLine(line, "") for line in grade.improve]
    limits = {cap.code: cap.letter for cap in grade.caps}
    lines = []
    for step in grade.steps:
        if step.check:
            lines.append(GradeLine(f"{title(desk, step.check)} ({say.machines(step.hosts)})", ""))
        else:
            until = desk.texts.gettext("until then {letter} at most").format(letter=limits.get(step.cap, ""))
            lines.append(GradeLine(cap_words(desk, step.cap) or step.cap, until))
    return lines


def cap_words(desk: Desk, code: str) -> str:
    """Return what lifts a rule that limits the grade; "" for a rule that this version does not know."""
    texts = desk.texts
    unseen = sum(not host.contact.reached for host in desk.run.hosts)
    words = {
        "critical": texts.gettext("Nothing critical is open"),
        "exploited": texts.gettext("Holes that attackers use are closed in time"),
        "old_backup": texts.gettext("No backup is twice as old as agreed"),
        "unseen": texts.ngettext("{n} machine is seen again", "{n} machines are seen again", unseen).format(n=unseen),
        "unproven": texts.gettext("Everywhere a good test restore, as often as agreed"),
    }
    return words.get(code, "")
