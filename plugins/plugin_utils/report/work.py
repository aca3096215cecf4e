# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what was done on hosts, and what would be, as a reader meets it. Pure."""

from __future__ import annotations

import gettext
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils.acted import asking
from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus.telling import antivirus_facts
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import (
    ChangeRecord,
    Outcome,
    Reboot,
    Step,
    Version,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import State
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import of_windows
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.cleaned import cleaned
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import Desk, HostLink, Shown, first
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.look import Badge
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import (
    PlannedPackage,
    PlannedWork,
    PlanSummary,
    Waiting,
)

# Colour and shape of each outcome, what asks for a person first.
LOOK: dict[Outcome, tuple[State, str]] = {
    "failed": ("crit", "✖"),
    "lost": ("unknown", "?"),
    "running": ("unknown", "…"),
    "rolled_back": ("act", "↺"),
    "refused": ("act", "▲"),
    "done": ("ok", "✓"),
    "skipped": ("watch", "◔"),
    "planned": ("accepted", "○"),
    "released": ("accepted", "◇"),
    "nothing": ("ok", "–"),  # noqa: RUF001 - a dash is what is meant
}
OUTCOMES = tuple(LOOK)
# On these hosts something was changed, or may have been: each is told by itself.
TOUCHED: tuple[Outcome, ...] = ("failed", "lost", "running", "rolled_back", "done")
CHANGES_SHOWN = 60
PLANS_SHOWN = 100
GROUPS_SHOWN = 40
VERSIONS_SHOWN = 12
PACKAGES_SHOWN = 4
STEPS_SHOWN = 6
LINES_SHOWN = 8
HASH_SHOWN = 8
LOG_SHOWN = 20
# Line ends as the report shows them in texts of hosts (see visible).
_LINE_END = re.compile("[\n\u240a]")


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step of a change."""

    badge: Badge
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class ChangeView:
    """What was done on one host, ready to be set.

    ``chore`` is empty where the run has only one. ``packages`` say in one line each what ``versions`` say in a table;
    ``facts`` are label and lines, what is empty is left out.
    """

    badge: Badge
    host: HostLink
    chore: str
    ring: str
    text: str
    when: str
    open: bool
    versions: Shown[Version]
    packages: Shown[str]
    facts: list[tuple[str, Shown[str]]]
    differences: list[tuple[Badge, str]]
    steps: list[StepRow]
    log: list[str]


@dataclass(frozen=True, slots=True)
class Group:
    """Hosts that were left as they are, for the same reason; ``chore`` as in ChangeView."""

    badge: Badge
    chore: str
    text: str
    hosts: Shown[HostLink]


@dataclass(frozen=True, slots=True)
class PlanRow:
    """What would be done on one host."""

    badge: Badge
    host: HostLink
    work: str
    summary: str
    steps: Shown[str]
    notes: list[str]
    ring: str = ""
    cves: int = 0
    reboot: str = ""
    withheld: str = ""
    hash: str = ""


@dataclass(frozen=True, slots=True)
class WaitRow:
    """A host that missed a chore and has the first turn next time."""

    host: HostLink
    chore: str
    since: str
    why: str


@dataclass(frozen=True, slots=True)
class WorkView:
    """What was done, and what would be.

    ``asking`` changes need a person; ``idle`` hosts have nothing pending, ``unplanned`` ones have no plan; ``waiting``
    ones missed a chore when it was due.
    """

    acted: bool
    asking: int
    tally: list[tuple[Badge, int]]
    changes: Shown[ChangeView]
    others: Shown[Group]
    plans: Shown[PlanRow]
    idle: int
    unplanned: Shown[HostLink]
    waiting: Shown[WaitRow]

    @property
    def touched(self) -> int:
        """Number of hosts on which something was changed, or may have been."""
        return self.changes.total

    @property
    def tells_done(self) -> bool:
        """True when there is something to say of what was done."""
        return self.acted or bool(self.others.items)

    @property
    def tells_planned(self) -> bool:
        """True when there is something to say of what would be done."""
        return bool(self.plans.items or self.idle or self.unplanned.items)


def work_view(desk: Desk) -> WorkView | None:
    """Return what the chores of a run did and would do; None for a run that only looked."""
    run = desk.run
    if not (run.header.acting or run.changes or run.plans or run.planned_work or run.waiting):
        return None
    ordered = sorted(run.changes, key=lambda record: (OUTCOMES.index(record.outcome), record.ring or 0, record.host))
    touched = [record for record in ordered if record.outcome in TOUCHED]
    done = {(record.host, record.chore) for record in touched}
    rows, idle = planned_rows(desk, done)
    told = {(row.host.name, chore) for chore, row in rows}
    others = [
        record
        for record in ordered
        if record.outcome not in TOUCHED and not (record.outcome == "planned" and (record.host, record.chore) in told)
    ]
    known = {plan.host for plan in run.plans} | {record.host for record in run.changes}
    # Other chores have no plan for every host.
    planning = bool(run.plans) or "patching" in run.header.acting
    for_whom = run.header.bought.get("patching") or run.header.population
    unplanned = [host for host in for_whom if host not in known] if planning else []
    return WorkView(
        acted=bool(run.header.acting or touched),
        asking=len(asking(run.changes)),
        tally=outcome_counts(desk),
        changes=first([change_view(desk, record) for record in touched], CHANGES_SHOWN),
        others=first(_groups(desk, others), GROUPS_SHOWN),
        plans=first([row for _chore, row in rows], PLANS_SHOWN),
        idle=idle,
        unplanned=first(desk.links(unplanned), LINES_SHOWN),
        waiting=first([_wait(desk, entry) for entry in run.waiting], GROUPS_SHOWN),
    )


def planned_rows(desk: Desk, done: Collection[tuple[str, str]]) -> tuple[list[tuple[str, PlanRow]], int]:
    """Return what every chore would do as (chore, row), what is not ready first; and how many hosts need no update.

    ``done`` is where (host, chore) the work was begun in this run: there nothing is planned any more.
    """
    plans = [plan for plan in desk.run.plans if (plan.host, "patching") not in done]
    telling = [plan for plan in plans if plan.moves or plan.reboot_left or plan.doubts or not plan.ready]
    found = [((plan.ready, plan.ring or 0, plan.host), "patching", _plan(desk, plan)) for plan in telling]
    found += [
        ((entry.ready, 0, entry.host), entry.chore, _other(desk, entry))
        for entry in desk.run.planned_work
        if (entry.host, entry.chore) not in done
    ]
    return [(chore, row) for _key, chore, row in sorted(found, key=lambda one: one[:2])], len(plans) - len(telling)


def _wait(desk: Desk, entry: Waiting) -> WaitRow:
    words = {
        "unreached": desk.texts.gettext("it was not reached"),
        "window_closed": desk.texts.gettext("no maintenance window was open"),
    }
    since = desk.clock.moment(entry.since)
    return WaitRow(desk.link(entry.host), chore_title(entry.chore, desk.texts), since, words[entry.code])


def chore_title(chore: str, texts: gettext.NullTranslations) -> str:
    """Return what people call a chore."""
    words = {
        "patching": texts.pgettext("chore", "Patching"),
        "antivirus": texts.pgettext("chore", "Antivirus"),
        "backup_verification": texts.pgettext("chore", "Backup verification"),
        "disk_cleanup": texts.pgettext("chore", "Disk cleanup"),
        "release": texts.pgettext("chore", "Release"),
    }
    return words.get(chore, chore)


def _chore(desk: Desk, chore: str) -> str:
    """The title of a chore where a run has several, else nothing."""
    return chore_title(chore, desk.texts) if len(desk.chores) > 1 else ""


def outcome_counts(desk: Desk) -> list[tuple[Badge, int]]:
    """Return how many changes ended how, what asks for a person first."""
    counted = Counter(record.outcome for record in desk.run.changes)
    return [(badge(outcome, desk.texts), counted[outcome]) for outcome in OUTCOMES if counted[outcome]]


def badge(outcome: Outcome, texts: gettext.NullTranslations) -> Badge:
    """Return glyph and word of an outcome."""
    words: dict[Outcome, str] = {
        "failed": texts.pgettext("outcome", "failed"),
        "lost": texts.pgettext("outcome", "lost"),
        "running": texts.pgettext("outcome", "cut off"),
        "rolled_back": texts.pgettext("outcome", "rolled back"),
        "refused": texts.pgettext("outcome", "refused"),
        "done": texts.pgettext("outcome", "done"),
        "skipped": texts.pgettext("outcome", "kept back"),
        "planned": texts.pgettext("outcome", "planned"),
        "released": texts.pgettext("outcome", "released"),
        "nothing": texts.pgettext("outcome", "nothing to do"),
    }
    state, glyph = LOOK[outcome]
    return Badge(state, glyph, words[outcome])


def change_view(desk: Desk, record: ChangeRecord) -> ChangeView:
    """Return the view of one change."""
    ended = desk.clock.moment(record.ended_at) if record.ended_at else desk.texts.gettext("no end")
    return ChangeView(
        badge=badge(record.outcome, desk.texts),
        host=desk.link(record.host),
        chore=_chore(desk, record.chore),
        ring=str(record.ring or ""),
        text=record.text,
        when=f"{desk.clock.moment(record.started_at)} - {ended}",
        open=record.outcome != "done",
        versions=first(record.versions, VERSIONS_SHOWN),
        packages=first([_moved(desk, entry, entry.before, entry.after) for entry in record.versions], PACKAGES_SHOWN),
        facts=[(label, first(lines, LINES_SHOWN)) for label, lines in _facts(desk, record) if lines],
        differences=[
            (
                Badge("act", "▲", desk.texts.pgettext("difference", "worse"))
                if entry.bad
                else Badge("accepted", "◇", desk.texts.pgettext("difference", "other")),
                f"{entry.kind} {entry.name}: {entry.before or '-'} → {entry.after or '-'}",
            )
            for entry in record.differences
        ],
        steps=[_step(desk, step) for step in record.steps],
        log=_LINE_END.split(record.log.strip("\n\u240a"))[-LOG_SHOWN:] if record.log else [],
    )


def _moved(desk: Desk, entry: Version | PlannedPackage, before: str | None, after: str | None) -> str:
    """Return one line on a package or an update of Windows that is another one now, or would be."""
    if entry.update_id:
        words = desk.texts.gettext("{update}, revision {number}")
        return of_windows(entry.name, entry.title, after or "?", words)
    return f"{entry.name} {before or '-'} → {after or '-'}"


def _facts(desk: Desk, record: ChangeRecord) -> list[tuple[str, Sequence[str]]]:
    gettext_ = desk.texts.gettext
    approved = [part for part in (record.approver, record.ticket) if part]
    lane = [gettext_("emergency")] if record.lane == "emergency" else []
    return [
        (gettext_("Approved by"), [", ".join(approved)] if approved else []),
        (gettext_("Lane"), lane),
        (gettext_("Window"), [record.emergency or record.window] if record.window else []),
        (gettext_("Time reckoned with"), _expected(desk, record)),
        (gettext_("Begun by run"), [record.begun_by] if record.begun_by else []),
        (gettext_("Vulnerabilities closed"), record.cves),
        (gettext_("Reboot"), reboot_lines(desk.texts, record.reboot)),
        (gettext_("Services"), [f"{unit}: {what}" for unit, what in sorted(record.services.items())]),
        (gettext_("New findings"), record.findings_new),
        *(antivirus_facts(desk.texts, record.antivirus) if record.antivirus else []),
        (gettext_("Left half done"), record.half_done),
        (gettext_("Failed"), [f"{name}: {why}" for name, why in sorted(record.failures.items())]),
        (gettext_("Configuration kept aside"), record.config_files),
        (gettext_("Still open"), record.residual),
        *cleaned(desk.texts, record.cleanup),
        (gettext_("Way back"), [record.rollback] if record.rollback else []),
        (gettext_("Limited by"), [record.bounded] if record.bounded else []),
        (gettext_("Plan"), [record.plan_hash[:HASH_SHOWN]] if record.plan_hash else []),
    ]


def _expected(desk: Desk, record: ChangeRecord) -> list[str]:
    if record.expected_s is None:
        return []
    words = desk.texts.gettext("{time} ({source})")
    return [words.format(time=desk.length(record.expected_s), source=record.expected_from)]


def reboot_lines(texts: gettext.NullTranslations, reboot: Reboot | None) -> list[str]:
    """Return in words whether the host was rebooted, with the proof."""
    if reboot is None:
        return []
    told = [reboot.text] if reboot.text else []
    if reboot.done:
        proof = texts.gettext("done: boot {before} → {after}").format(
            before=reboot.boot_before[:12] or "?", after=reboot.boot_after[:12] or "?"
        )
        kernels = [f"{reboot.kernel_before} → {reboot.kernel_after}"] if reboot.kernel_after else []
        return [proof, *kernels, *told]
    if reboot.required == "no":
        return [texts.gettext("not needed"), *told]
    asked = texts.gettext("needed and not done") if reboot.required == "yes" else texts.gettext("unknown")
    return [asked, *reboot.reasons, *told]


def _step(desk: Desk, step: Step) -> StepRow:
    pgettext_ = desk.texts.pgettext
    looks = {
        "done": Badge("ok", "✓", pgettext_("step", "done")),
        "skipped": Badge("accepted", "◇", pgettext_("step", "left out")),
        "failed": Badge("crit", "✖", pgettext_("step", "failed")),
    }
    return StepRow(looks[step.outcome], step.name, step.text)


def _groups(desk: Desk, records: Sequence[ChangeRecord]) -> list[Group]:
    grouped: dict[tuple[Outcome, str, str], list[str]] = {}
    for record in records:
        # One host's own words make no group of many; then the code does.
        key = (record.outcome, _chore(desk, record.chore), record.text or record.code)
        grouped.setdefault(key, []).append(record.host)
    return [
        Group(badge(outcome, desk.texts), chore, text, first(desk.links(hosts), LINES_SHOWN))
        for (outcome, chore, text), hosts in grouped.items()
    ]


def _plan(desk: Desk, plan: PlanSummary) -> PlanRow:
    texts = desk.texts
    wanted = sum(plan.items.values())
    reboots = {"yes": texts.gettext("yes"), "no": texts.gettext("no"), "unknown": texts.gettext("not known")}
    packages = [_moved(desk, entry, entry.installed, entry.version) for entry in plan.packages]
    shown = first(packages, PACKAGES_SHOWN)
    size = f", {desk.size(plan.download_bytes)}" if plan.download_bytes else ""
    return PlanRow(
        badge=_ready(desk, plan.ready),
        host=desk.link(plan.host),
        work=texts.gettext("Patching"),
        ring=str(plan.ring or ""),
        summary=texts.gettext("a reboot that an earlier change had to leave")
        if plan.reboot_left
        else texts.ngettext("{n} package", "{n} packages", plan.moves).format(n=plan.moves) + size,
        steps=Shown(shown.items, wanted - len(shown.items)),
        cves=plan.cves,
        reboot=reboots[plan.reboot],
        notes=[*plan.obstacles, *plan.doubts],
        withheld=", ".join(f"{code}: {number}" for code, number in plan.withheld.items()),
        hash=plan.plan_hash[:HASH_SHOWN],
    )


def _other(desk: Desk, entry: PlannedWork) -> PlanRow:
    gettext_ = desk.texts.gettext
    names = {
        "antivirus": gettext_("Antivirus"),
        "backup_verification": gettext_("Tests of backups"),
        "disk_cleanup": gettext_("Disk cleanup"),
    }
    shown = first(entry.steps, STEPS_SHOWN)
    return PlanRow(
        badge=_ready(desk, entry.ready),
        host=desk.link(entry.host),
        work=names[entry.chore],
        summary=entry.text,
        steps=Shown(shown.items, shown.more + entry.more),
        notes=entry.notes,
    )


def _ready(desk: Desk, ready: bool) -> Badge:
    if ready:
        return Badge("ok", "✓", desk.texts.pgettext("plan", "ready"))
    return Badge("act", "▲", desk.texts.pgettext("plan", "not ready"))
