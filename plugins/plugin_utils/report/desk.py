# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what every part of a report needs at hand: the run, its clock, its words, its links."""

from __future__ import annotations

import gettext
import hashlib
import typing as t
import urllib.parse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils import counting, verdicts
from ansible_collections.keepwell.fleet.plugins.plugin_utils.availability.telling import percent
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    SEVERITY,
    Pillar,
    State,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import host_file_name
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import (
    CheckInfo,
    Finding,
    FindingChange,
    HostResult,
    Problem,
    epoch,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.catalogues import SOURCE, language_in
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.clock import Clock, Deadline, clock_for
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.look import Badge, badges
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.seal import Seal
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.visible import presentable
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.wording import binary_size, decimal, duration
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.words import word
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Run

# Above this many hosts every host gets a page of its own and the index keeps what is not ok.
SPLIT_ABOVE = 300
Item = t.TypeVar("Item")
Titled = t.TypeVar("Titled", CheckInfo, FindingChange, Problem)


@dataclass(frozen=True, slots=True)
class HostLink:
    """A host's name and where its details are."""

    name: str
    href: str


@dataclass(frozen=True, slots=True)
class Shown(t.Generic[Item]):
    """The first items of a list and how many more there are: nothing is cut off silently."""

    items: list[Item]
    more: int

    @property
    def total(self) -> int:
        """Length of the whole list."""
        return len(self.items) + self.more


def first(items: Sequence[Item], limit: int) -> Shown[Item]:
    """Return the first ``limit`` items; one more rather than "and 1 more"."""
    keep = limit if len(items) > limit + 1 else len(items)
    return Shown(list(items[:keep]), len(items) - keep)


@dataclass(frozen=True)
class Desk:
    """Everything at hand for making one report of one run."""

    run: Run
    clock: Clock
    texts: gettext.NullTranslations
    badges: dict[State, Badge]
    checks: dict[str, CheckInfo]
    changes: dict[str, list[ChangeRecord]]
    chores: frozenset[str]
    split: bool
    warnings: list[str]
    seal: Seal | None

    @property
    def language(self) -> str:
        """The reader's language."""
        return language_in(self.texts)

    @property
    def verdict(self) -> str:
        """What the run says of all hosts; in English that is evidence word for word."""
        if self.language == SOURCE or not self.run.verdict:
            return self.run.verdict
        return verdicts.of_run(self.run, self.texts)

    @property
    def doubt(self) -> str:
        """What the question mark behind the grade says; "" where there is none."""
        grade = self.run.grade
        if grade is None or not grade.letter or not grade.uncertain:
            return ""
        unseen = sum(not host.contact.reached for host in self.run.hosts)
        return self.texts.ngettext(
            "The question mark behind the grade: {n} of {total} hosts could not be looked at, so it is not certain.",
            "The question mark behind the grade: {n} of {total} hosts could not be looked at, so it is not certain.",
            unseen,
        ).format(n=unseen, total=len(self.run.hosts))

    @property
    def accepted(self) -> str:
        """How hosts whose risk was accepted are counted; "" where there are none."""
        hosts = counting.count_run(self.run.hosts).hosts
        if not hosts.accepted:
            return ""
        return self.texts.gettext(
            "Accepted is a known risk that somebody decided to live with; such a host counts as in good shape: "
            "{ok} + {accepted} = {good}."
        ).format(ok=hosts.ok, accepted=hosts.accepted, good=hosts.good)

    def length(self, seconds: float) -> str:
        """A length of time in words."""
        return duration(self.texts, seconds)

    def size(self, amount: float) -> str:
        """A number of bytes with binary units."""
        return binary_size(self.texts, amount)

    def percent(self, value: float | None) -> str:
        """A number of percent, or a dash for what is not known."""
        return decimal(self.language, percent(value))

    def word(self, kind: str, said: str) -> str:
        """A word of evidence in the reader's language."""
        return word(self.texts, kind, said)

    def titled(self, title: str) -> str:
        """The title that a check had in any run, in the reader's language where it is known."""
        return self.texts.pgettext("check", title)

    def title(self, check: str) -> str:
        """A check's title; its id where the run does not describe it."""
        return self.checks[check].title if check in self.checks else check

    def link(self, host: str) -> HostLink:
        """Where a host's details are, seen from the index."""
        return HostLink(host, page_href(host) if self.split else f"#{anchor(host)}")

    def links(self, hosts: Iterable[str]) -> list[HostLink]:
        """Links of several hosts."""
        return [self.link(host) for host in hosts]

    def deadline(self, timestamp: str | None) -> Deadline | None:
        """A deadline in words, or None."""
        return self.clock.deadline(timestamp)

    def pillar_title(self, pillar: Pillar) -> str:
        """A pillar's name as a heading."""
        gettext_ = self.texts.gettext
        names: dict[Pillar, str] = {
            "availability": gettext_("Availability"),
            "patching": gettext_("Patching"),
            "antivirus": gettext_("Antivirus"),
            "backup": gettext_("Backup"),
            "capacity": gettext_("Capacity"),
            "services": gettext_("Services"),
            "hardware": gettext_("Hardware"),
            "network": gettext_("Network"),
            "time": gettext_("Time"),
            "certificates": gettext_("Certificates"),
            "lifecycle": gettext_("Lifecycle"),
            "access": gettext_("Access"),
        }
        return names[pillar]


def desk_for(
    run: Run, texts: gettext.NullTranslations | None = None, *, split: bool = False, seal: Seal | None = None
) -> Desk:
    """Return the desk of a run, with its texts made visible. Time stands still at the end of the run.

    ``split`` gives every host a page of its own even where the number of hosts does not ask for it.
    """
    texts = texts or gettext.NullTranslations()
    shown = _titled(presentable(run), texts)
    now = epoch(shown.ended_at or shown.data_as_of or shown.header.started_at)
    clock, warning = clock_for(shown.header.client.timezone, now, texts)
    changes: dict[str, list[ChangeRecord]] = {}
    for record in shown.changes:
        changes.setdefault(record.host, []).append(record)
    return Desk(
        run=shown,
        clock=clock,
        texts=texts,
        badges=badges(texts),
        checks={check.id: check for check in shown.checks},
        changes=changes,
        chores=frozenset(record.chore for record in shown.changes),
        split=split or len(shown.hosts) > SPLIT_ABOVE,
        warnings=[warning] if warning else [],
        seal=seal,
    )


def _titled(run: Run, texts: gettext.NullTranslations) -> Run:
    """Return a run with the titles of its checks in the reader's language; all else that it says is evidence."""
    if language_in(texts) == SOURCE:
        return run
    titles = {check.id: texts.pgettext("check", check.title) for check in run.checks}
    # What a check says itself, whatever it found; a finding may have more of its own to say.
    advice = {check.advice: texts.pgettext("advice", check.advice) for check in run.checks if check.advice}

    def named(entry: Titled, check: str) -> Titled:
        return entry.model_copy(update={"title": titles.get(check, entry.title)})

    def advised(problem: Problem) -> Problem:
        return problem.model_copy(update={"advice": advice.get(problem.advice, problem.advice)})

    delta = run.delta and run.delta.model_copy(
        update={
            group: [named(change, change.check) for change in getattr(run.delta, group)]
            for group in ("new", "worse", "better", "resolved")
        }
    )
    return run.model_copy(
        update={
            "checks": [
                named(check, check.id).model_copy(update={"advice": advice.get(check.advice, "")})
                for check in run.checks
            ],
            "problems": [advised(named(problem, problem.check)) for problem in run.problems],
            "delta": delta,
        }
    )


def is_provisional(run: Run) -> bool:
    """True when the run does not cover everything: its reports say so, have other names, and are never "latest"."""
    return bool(run.header.partial) or run.status != "complete"


def file_name(run: Run, stem: str, suffix: str) -> str:
    """Return the name of a report's file; that of a provisional run can never be taken for a whole one."""
    return f"{stem}.partial.{suffix}" if is_provisional(run) else f"{stem}.{suffix}"


def anchor(host: str) -> str:
    """Return the id of a host's part of a page: safe whatever the name is."""
    return "h-" + hashlib.sha256(host.encode("utf-8", "replace")).hexdigest()[:10]


def page_name(host: str) -> str:
    """Return the path of a host's own page below the report's folder."""
    return f"hosts/{host_file_name(host)}.html"


def page_href(host: str) -> str:
    """Return that path as a link: a file name that holds "%3C" is addressed as "%253C"."""
    return urllib.parse.quote(page_name(host))


def rank(host: HostResult) -> tuple[t.Any, ...]:
    """Sort hosts worst first: by state, then by how much is wrong, then by name."""
    states = [result.state for result in host.results]
    weight = [-states.count(state) for state in ("crit", "act", "unknown", "watch")]
    return (-SEVERITY.index(host.state), *weight, host.host)


def began(finding: Finding) -> str:
    """When a finding began: by the host's or vendor's own account, or when Keepwell first saw it."""
    return min(finding.first_seen, finding.since or finding.first_seen)
