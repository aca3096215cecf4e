# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the auditor's report as data: population, controls, registers, sample, how to check. Pure.

Times are UTC as evidence has them. No grade: an auditor judges.
"""

from __future__ import annotations

import gettext
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils import counting
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import State
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import RunCounts
from ansible_collections.keepwell.fleet.plugins.plugin_utils.period.models import (
    ChangeEntry,
    ExceptionEntry,
    HostEntry,
    Period,
    RestoreEntry,
    RunEntry,
    Standing,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report import pdf
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.auditor_controls import FRAMEWORKS, Control
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.auditor_sample import (
    Command,
    Sample,
    commands,
    sample,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.auditor_timelines import (
    Timeline,
    TimelineFacts,
    facts,
    timelines,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.charts import Chart, state_bar
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import (
    Desk,
    Shown,
    desk_for,
    file_name,
    first,
    is_provisional,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.engineer import Tile, state_tiles
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.environment import Templates
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.look import ORDER, Badge
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.pdf import Embedded
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.seal import Seal
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.visible import presentable
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Run

TEMPLATE = "auditor/page.html.j2"
ROWS_SHOWN = 250
# What is not as it should be comes first.
_STANDINGS: tuple[Standing, ...] = ("never", "silent", "absent", "left", "uncovered", "measured")


@dataclass(frozen=True, slots=True)
class ControlRow:
    """What supports one control: checks with their results in the newest whole run, and registers."""

    id: str
    words: str
    checks: list[str]
    counts: list[tuple[Badge, int]]
    total: int
    not_applicable: int
    registers: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class FrameworkView:
    """One framework."""

    name: str
    note: str
    rows: list[ControlRow]


@dataclass(frozen=True, slots=True)
class AuditorView:
    """The page, from top to bottom."""

    desk: Desk
    period: Period
    provisional: bool
    rest: str
    counts: RunCounts
    tiles: list[Tile]
    overview: Chart
    standings: list[tuple[str, str, int]]
    hosts: Shown[HostEntry]
    measured: list[str]
    runs: Shown[RunEntry]
    unsound: list[str]
    signed: int
    sealed: int
    head: str
    frameworks: list[FrameworkView]
    exceptions: Shown[ExceptionEntry]
    restores: Shown[RestoreEntry]
    changes: list[tuple[str, list[tuple[str, int]]]]
    emergencies: Shown[ChangeEntry]
    timelines: Shown[Timeline]
    timeline_facts: TimelineFacts
    sample: Sample
    commands: list[Command]
    embedded: list[str]
    clock_offset_s: float | None
    badges: Mapping[State, Badge]

    @property
    def state_counts(self) -> list[tuple[Badge, int]]:
        """All results by state."""
        return [(tile.badge, tile.results) for tile in self.tiles]

    @property
    def contract(self) -> int:
        """Hosts that should have been looked at."""
        return sum(number for standing, _word, number in self.standings if standing not in ("uncovered", "left"))


def auditor_files(
    run: Run,
    period: Period,
    templates: Templates,
    texts: gettext.NullTranslations,
    seal: Seal | None = None,
    seed: str = "",
    rest: str = "run.json",
    formats: Collection[str] = ("html",),
    inside: Sequence[Embedded] = (),
) -> tuple[dict[str, bytes], list[str]]:
    """Return the auditor's report of a period that ended with a run, and what the reader of the play should know.

    The same evidence and seed: the same bytes. ``rest`` is the file that holds what is too long for a page, ``inside``
    is embedded in the PDF.
    """
    files: dict[str, bytes] = {}
    if "html" in formats:
        view = auditor_view(run, period, texts, seal, seed, rest)
        files[file_name(run, "auditor", "html")] = templates.html(TEMPLATE, view=view)
    if "pdf" not in formats:
        return files, []
    name = file_name(run, "auditor", "pdf")
    if not pdf.available():
        return files, [pdf.MISSING.format(name=name)]
    view = auditor_view(run, period, texts, seal, seed, rest, [entry.name for entry in inside])
    files[name] = pdf.archive(templates.html(TEMPLATE, view=view), inside)
    return files, []


def auditor_view(
    run: Run,
    period: Period,
    texts: gettext.NullTranslations,
    seal: Seal | None = None,
    seed: str = "",
    rest: str = "run.json",
    inside: Sequence[str] = (),
) -> AuditorView:
    """Return the page. Without ``seed`` it comes from the evidence, so that nobody chose it.

    ``inside`` are the names of files that are embedded in it, where it is a PDF.
    """
    head = next((entry.head for entry in reversed(period.runs) if entry.head), seal.head if seal else "")
    sampled = sample(seed or head[:16] or run.header.run_id, run, period, seal.files if seal else {}, texts)
    lines = commands(run, period, sampled, texts)
    desk, shown = desk_for(run, texts, seal=seal), presentable(period)
    counts = counting.count_run(desk.run.hosts)
    numbers = Counter(host.standing for host in shown.hosts)
    ranked = sorted(shown.hosts, key=lambda host: (_STANDINGS.index(host.standing), host.host))
    emergencies = [entry for entry in shown.changes if entry.emergency or entry.lane == "emergency"]
    patched = timelines(shown.tracks)
    offsets = [abs(host.contact.clock_offset_s) for host in run.hosts if host.contact.clock_offset_s is not None]
    return AuditorView(
        desk=desk,
        period=shown,
        provisional=is_provisional(run),
        rest=rest,
        counts=counts,
        tiles=state_tiles(desk.badges, counts),
        overview=state_bar("all", counts.results, width=960, height=14),
        standings=[(standing, _standing(desk, standing), numbers[standing]) for standing in reversed(_STANDINGS)],
        hosts=first([host for host in ranked if host.standing != "measured" or host.answered < host.asked], ROWS_SHOWN),
        measured=[host.host for host in ranked if host.standing == "measured" and host.answered == host.asked],
        runs=first(shown.runs[::-1], ROWS_SHOWN),
        unsound=[*shown.broken, *(text for entry in shown.runs for text in entry.altered)],
        signed=sum(bool(entry.signed_by) for entry in shown.runs),
        sealed=sum(bool(entry.head) for entry in shown.runs),
        head=head,
        frameworks=_frameworks(desk),
        exceptions=first(shown.exceptions, ROWS_SHOWN),
        restores=first(shown.restores[::-1], ROWS_SHOWN),
        changes=_changes(shown.changes),
        emergencies=first(emergencies[::-1], ROWS_SHOWN),
        timelines=first(patched, ROWS_SHOWN),
        timeline_facts=facts(patched, shown.end),
        sample=sampled,
        commands=lines,
        embedded=list(inside),
        clock_offset_s=max(offsets, default=None),
        badges=desk.badges,
    )


def _standing(desk: Desk, standing: Standing) -> str:
    gettext_ = desk.texts.gettext
    words: dict[Standing, str] = {
        "measured": gettext_("measured in the newest whole run"),
        "silent": gettext_("measured before, silent in the newest whole run"),
        "never": gettext_("never measured"),
        "left": gettext_("measured or asked before, no longer of the client"),
        "absent": gettext_("in the contract, not in the inventory"),
        "uncovered": gettext_("not covered by plan or contract, not looked at"),
    }
    return words[standing]


def _frameworks(desk: Desk) -> list[FrameworkView]:
    """Return the matrix by the results of the run. What checks say and the catalogue lacks is told at its end."""
    states: dict[str, list[State]] = {}
    left_out: Counter[str] = Counter()
    for host in desk.run.hosts:
        for result in host.results:
            states.setdefault(result.check, []).append(result.state)
        left_out.update(host.not_applicable)
    supporting: dict[str, list[str]] = {}
    for check in desk.run.checks:
        for control in check.controls:
            supporting.setdefault(control, []).append(check.id)
    return [
        FrameworkView(
            framework.name,
            desk.texts.pgettext("framework", framework.note) if framework.note else "",
            [
                _control(desk, control, supporting.get(control.id, []), states, left_out)
                for control in framework.controls
            ],
        )
        for framework in FRAMEWORKS
    ]


def _control(
    desk: Desk, control: Control, checks: Sequence[str], states: Mapping[str, list[State]], left_out: Counter[str]
) -> ControlRow:
    counts = counting.count(state for check in checks for state in states.get(check, ()))
    gettext_ = desk.texts.gettext
    titles = {
        "population": gettext_("population"),
        "runs": gettext_("runs"),
        "exceptions": gettext_("exceptions"),
        "restores": gettext_("restore tests"),
        "emergencies": gettext_("emergency changes"),
        "changes": gettext_("changes"),
        "timelines": gettext_("patch timelines"),
        "holds": gettext_("holds"),
        "availability": gettext_("availability"),
    }
    return ControlRow(
        id=control.id,
        words=control.words,
        checks=[desk.title(check) for check in checks],
        counts=[(desk.badges[state], getattr(counts, state)) for state in ORDER],
        total=counts.total,
        not_applicable=sum(left_out[check] for check in checks),
        registers=[(register, titles[register]) for register in control.registers],
    )


def _changes(changes: Sequence[ChangeEntry]) -> list[tuple[str, list[tuple[str, int]]]]:
    """Return how the changes of each chore ended."""
    tally: dict[str, Counter[str]] = {}
    for entry in changes:
        tally.setdefault(entry.chore, Counter())[entry.outcome] += 1
    return [(chore, sorted(found.items())) for chore, found in sorted(tally.items())]
