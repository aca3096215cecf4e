# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the backups that ask for a person, for the owner: what is wrong, and two ages. Pure.

Both ages are drawn alike, as a bar beside what was agreed: that of the newest copy, and that of the last test restore.
"""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import DAY, State, worst
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import DatasetSummary, epoch
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.backups import VERDICTS, ranked, states_of
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import Desk
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.lanes import Gauge, gauge
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.look import Badge
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.wording import Wording
from ansible_collections.keepwell.fleet.plugins.plugin_utils.service.models import Agreement

SHOWN = 3


@dataclass(frozen=True, slots=True)
class AgeLine:
    """An age in words, and drawn; ``gauge`` is None where nothing was agreed that it could be drawn beside."""

    label: str
    text: str
    gauge: Gauge | None


@dataclass(frozen=True, slots=True)
class BackupLine:
    """One backup. ``trouble`` says in a sentence what is wrong with it, "" for nothing."""

    badge: Badge
    name: str
    trouble: str
    ages: list[AgeLine]


@dataclass(frozen=True, slots=True)
class BackupsView:
    """The backups that ask for a person first; ``more`` is a sentence about those that are left out."""

    lines: list[BackupLine]
    more: str


def backups_view(desk: Desk, say: Wording) -> BackupsView | None:
    """Return what an owner is told of backups; None where there are none."""
    entries = ranked(desk.run.backups)
    if not entries:
        return None
    rest = entries[SHOWN:]
    more = ""
    if rest:
        proven = sum(entry.proven for entry in rest)
        more = desk.texts.ngettext(
            "{n} more backup, {proven} proven.", "{n} more backups, {proven} proven.", len(rest)
        ).format(n=say.number(len(rest)), proven=say.number(proven))
    return BackupsView([_line(desk, say, entry, f"l{place}") for place, entry in enumerate(entries[:SHOWN])], more)


def _line(desk: Desk, say: Wording, entry: DatasetSummary, name: str) -> BackupLine:
    return BackupLine(
        badge=desk.badges[worst(states_of(entry))],
        name=f"{say.name(entry.host)}: {say.name(entry.dataset)}",
        trouble=_trouble(desk, entry),
        ages=[_copy(desk, say, entry, f"{name}c"), _restore(desk, say, entry, f"{name}r")],
    )


def _copy(desk: Desk, say: Wording, entry: DatasetSummary, name: str) -> AgeLine:
    texts = desk.texts
    agreed = say.length(entry.rpo_s)
    if entry.data_age_s is None:
        text = texts.gettext("age not known; agreed: {agreed}").format(agreed=agreed)
    else:
        text = texts.gettext("{age} old; agreed: {agreed}").format(age=say.length(entry.data_age_s), agreed=agreed)
    return AgeLine(texts.gettext("Newest copy"), text, gauge(name, entry.freshness, entry.data_age_s, entry.rpo_s))


def _restore(desk: Desk, say: Wording, entry: DatasetSummary, name: str) -> AgeLine:
    """The last restore that was tried and compared, beside how often one was agreed."""
    texts = desk.texts
    text = say.day(entry.proven_at) if entry.proven_at else texts.gettext("none yet")
    agreed = (desk.run.header.agreement or Agreement()).restore_days
    drawn = None
    if agreed is not None:
        text = texts.gettext("{date}; agreed: every {days}").format(date=text, days=say.days(int(agreed)))
        age = (desk.clock.now - epoch(entry.proven_at)) / DAY if entry.proven_at else None
        drawn = gauge(name, entry.restorability if entry.proven_at else "unknown", age, agreed)
    return AgeLine(texts.gettext("Last good restore"), text, drawn)


def _trouble(desk: Desk, entry: DatasetSummary) -> str:
    """Return what is wrong with a backup in words that need no knowledge of backups."""
    gettext_ = desk.texts.gettext
    states = dict(zip(VERDICTS, states_of(entry), strict=True))
    state: State = worst(states.values())
    if state in ("ok", "accepted"):
        return ""
    if state == "unknown":
        if entry.freshness == "unknown" and entry.data_age_s is None:
            return gettext_("Nobody could look at it.")
        # What is known comes first: that it is late does not wait for what cannot be tested.
        state = worst(known for known in states.values() if known != "unknown")
        if state != "watch":
            return gettext_("Not all of it could be checked.")
    elif _locked(desk, entry):
        return gettext_("It is locked: nobody could look at it.")
    late = entry.data_age_s is not None and entry.data_age_s > entry.rpo_s
    damaged, failed = (states[verdict] == "crit" for verdict in ("integrity", "restorability"))
    said = {
        "freshness": gettext_("Its newest copy is too old.") if late else gettext_("New copies do not come as agreed."),
        "completeness": gettext_("What is in it is not what should be."),
        "integrity": gettext_("Part of it is damaged.") if damaged else gettext_("It was not checked as agreed."),
        "restorability": gettext_("A test restore went wrong.")
        if failed
        else gettext_("No test shows that it comes back as agreed."),
        "survivability": gettext_("It is not kept as safely as agreed."),
    }
    return said[next(verdict for verdict in VERDICTS if states[verdict] == state)]


def _locked(desk: Desk, entry: DatasetSummary) -> bool:
    """True when the last look met a lock: that stands against one verdict, and all others are unknown because of it."""
    states = states_of(entry)
    return states.count("unknown") == len(states) - 1 and any(
        finding.object == entry.dataset and finding.data.get("cause") == "locked"
        for host in desk.run.hosts
        if host.host == entry.host
        for result in host.results
        if result.check == "backup.integrity"
        for finding in result.findings
    )
