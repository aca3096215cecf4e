# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backups in the report: lanes that tell what the words tell, and the same numbers in every output."""

from __future__ import annotations

import csv
import io
import re
import typing as t
from collections import Counter
from pathlib import Path

import backup_maker
import fleet_maker
import pytest
from markdown_it import MarkdownIt

from ansible_collections.keepwell.fleet.plugins.plugin_utils import run_document, status
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import Proof
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import STATES
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report import backups, lanes
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.bundle import make_bundle
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import desk_for

TEMPLATES = [str(Path(__file__).parents[5] / "roles" / "health_report" / "templates")]


def run_with(count: int = 14, **more: t.Any) -> run_document.Run:
    return backup_maker.with_backups(fleet_maker.make_run(count, hostile=more.get("hostile", False)), **more)


def files(run: run_document.Run) -> dict[str, str]:
    return {name: content.decode() for name, content in make_bundle(run, TEMPLATES).files.items()}


def view_of(run: run_document.Run) -> backups.BackupsView:
    view = backups.backups_view(desk_for(run))
    assert view is not None
    return view


def test_a_client_without_datasets_reads_nothing_of_them() -> None:
    run = fleet_maker.make_run(3)
    assert backups.backups_view(desk_for(run)) is None
    made = files(run)
    assert "backups.csv" not in made
    assert 'id="backups"' not in made["engineer.html"]
    assert "## Backups" not in made["summary.md"]
    assert status.headline(run, "x")["backups"] is None


def test_every_output_tells_the_same_numbers() -> None:
    run = run_with()
    made, view = files(run), view_of(run)
    counted = {verdict: Counter(getattr(entry, verdict) for entry in run.backups) for verdict in backups.VERDICTS}
    copy = run_document.Run.model_validate_json(made["run.json"])
    assert copy.backups == run.backups

    rows = list(csv.DictReader(io.StringIO(made["backups.csv"], newline="")))
    assert [(row["host"], row["dataset"]) for row in rows] == [(entry.host, entry.dataset) for entry in run.backups]
    assert {verdict: Counter(row[verdict] for row in rows) for verdict in backups.VERDICTS} == counted
    proven = sum(entry.proven for entry in run.backups)
    assert sum(row["proven"] == "yes" for row in rows) == proven == view.proven
    never = [path for row in rows for path in row["never_restored"].split("; ") if path]
    assert len(never) == sum(entry.never_restored for entry in run.backups) == view.never

    table = re.search(r'<table class="small verdicts">.*?</table>', made["engineer.html"], re.DOTALL)
    assert table is not None
    told = [[int(n) for n in re.findall(r'<td class="n">(\d+)</td>', row)] for row in table.group().split("<tr>")[2:]]
    order = [badge.state for badge in view.states]
    assert told == [[counted[verdict][state] for state in order] for verdict in backups.VERDICTS]
    assert all(sum(row) == len(run.backups) for row in told)

    assert f"{proven} of {len(run.backups)} datasets are proven" in made["summary.md"]
    assert f"{proven} of {len(run.backups)} datasets are proven" in made["engineer.html"]
    for label, numbers in view.totals:
        line = next(line for line in made["summary.md"].splitlines() if line.startswith(f"- {label}: "))
        assert [int(n) for n in re.findall(r"\d+", line)] == [n for n in numbers if n]
    headline = status.headline(run, "x")["backups"]
    assert (headline["total"], headline["proven"]) == (len(run.backups), proven)


def test_what_asks_for_a_person_comes_first() -> None:
    view = view_of(run_with())
    states = [row.badge.state for row in view.lanes.items]
    assert states == sorted(
        states, key=lambda state: ("crit", "act", "unknown", "watch", "accepted", "ok").index(state)
    )
    assert [row.badge.word for row in view.tests.items][:2] == ["damaged", "damaged"]


def test_all_five_verdicts_have_a_word_a_shape_and_a_colour() -> None:
    run = run_with(6)
    page = files(run)["engineer.html"]
    view = view_of(run)
    assert all(len(row.verdicts) == len(view.labels) == 5 for row in view.lanes.items)
    table = page.split('<table class="lanes">')[1].split("</table>")[0]
    badges = re.findall(
        r'<li><span>\w+</span> <span class="badge (\w+)"><i aria-hidden="true">(.)</i> (\w+)</span></li>', table
    )
    assert len(badges) == 5 * len(run.backups)
    assert {state for state, _glyph, _word in badges} <= set(STATES)
    assert len({glyph for _state, glyph, _word in badges}) == len({state for state, _glyph, _word in badges})


def test_a_lane_says_in_words_what_it_draws() -> None:
    page = files(run_with(6))["engineer.html"]
    charts = re.findall(r'<svg class="lane".*?</svg>', page, re.DOTALL)
    assert len(charts) == 6
    for chart in charts:
        assert 'role="img"' in chart
        assert re.search(
            r"<desc[^>]*>([^<]+ old|age not known), agreed 26 hours\. Proof: [^<]+\.( Next: [^<]+\.)?</desc>", chart
        )
        # On paper without a style sheet it still has its colours.
        assert not re.search(r"<path(?![^>]*(fill|stroke)=)", chart)
    unknown = next(chart for chart in charts if 'class="f-unknown"' in chart)
    assert "age not known" in unknown
    assert "<pattern" in unknown


@pytest.mark.parametrize(
    ("age", "agreed", "beyond"),
    [(0, 26, False), (7, 26, False), (25.99, 26, False), (26, 26, False), (26.01, 26, True), (75, 26, True), (9999, 26, True)],
)  # fmt: skip
def test_the_bar_passes_the_tick_when_it_is_late_and_only_then(age: float, agreed: float, beyond: bool) -> None:
    made = lanes.lane("x", "ok", age, agreed, None, None)
    long = int(t.cast("re.Match[str]", re.search(r"h(\d+)", made.stripe)).group(1))
    assert (long > lanes.TICK) is beyond
    assert 0 < long <= lanes.WIDTH
    assert made.tick.startswith(f"M{lanes.TICK} ")


@pytest.mark.parametrize("days", [-4000, -110, -30, -1, 0, 1, 45, 4000])
def test_no_mark_leaves_the_line(days: float) -> None:
    made = lanes.lane("x", "ok", 1, 26, abs(days), days)
    for mark in (made.proof, made.due):
        place = int(mark[1:].split(" ")[0])
        assert 5 < place < lanes.WIDTH - 5
    today = int(made.today[1:].split(" ")[0])
    if days:
        assert (int(made.due[1:].split(" ")[0]) > today) is (days > 0)


def test_an_age_that_nobody_knows_is_a_hatch_and_no_short_bar() -> None:
    made = lanes.lane("x", "unknown", None, 26, None, None)
    assert (made.hatched, made.paint) == (True, "url(#x-unknown)")
    assert int(t.cast("re.Match[str]", re.search(r"h(\d+)", made.stripe)).group(1)) > lanes.TICK
    assert (made.proof, made.due) == ("", "")


def test_an_hour_too_late_does_not_look_as_agreed() -> None:
    said = {(row.age, row.agreed, row.late) for row in view_of(run_with(6)).lanes.items}
    assert ("27 hours old", "26 hours", True) in said
    assert ("3 days old", "26 hours", True) in said


def test_what_never_came_back_is_named() -> None:
    run = run_with(6)
    page = files(run)["engineer.html"]
    ledger = page.split('<table class="ledger">')[1].split("</table>")[0]
    assert "<code>/srv/accounting/ledger</code> <b>never</b>" in ledger
    assert ledger.count("<b>never</b>") == sum(entry.never_restored for entry in run.backups)
    assert re.search(r"<code>/etc</code> <span class=\"soft\">\d+ \w{3} 2026</span>", ledger)


def test_tests_are_told_with_their_time_and_rate() -> None:
    run = run_with(14)
    page = files(run)["engineer.html"]
    tests = page.split('<table class="tests">')[1].split("</table>")[0]
    assert tests.count("<tr>") == len(run.backup_tests) + 1
    assert '<td>20 files, 39.1 MiB</td><td class="n">3.4 s</td><td class="n">11.5 MiB/s</td>' in tests
    assert "Left behind: /var/lib/keepwell/sandbox/x: read-only" in tests
    assert sum(number for _badge, number in view_of(run).tally) == len(run.backup_tests)


def test_every_end_of_a_test_has_a_word_and_a_shape() -> None:
    known = set(t.get_args(Proof.model_fields["outcome"].annotation))
    assert set(backups.ENDS) == known
    desk = desk_for(run_with(1))
    assert len({backups.end_badge(desk, end).word for end in known}) == len(known)


def test_a_proof_that_was_followed_by_a_failure_is_told_with_it() -> None:
    run = run_with(1)
    [entry] = run.backups
    later = {"tested_kind": "full", "tested_at": run.header.started_at, "tested_outcome": "failed"}
    run = run.model_copy(update={"backups": [entry.model_copy(update=later)]})
    [row] = view_of(run).lanes.items
    assert row.proof == "sample, 20 Nov 2026; then full on 23 Nov 2026: did not come back"


def test_hostile_texts_stay_texts() -> None:
    made = files(run_with(14, hostile=True))
    page = made["engineer.html"]
    assert "onerror=alert(1)>" not in page.replace("&gt;", "")
    assert "\u202e" not in page
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(made["summary.md"])
    assert not re.search(r"<(script|img|a|iframe|style|details)\b", html)
    rows = list(csv.reader(io.StringIO(made["backups.csv"], newline="")))
    assert len({len(row) for row in rows}) == 1
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))]


def test_many_datasets_stay_within_the_budget() -> None:
    made = files(run_with(300, per_host=4))
    assert len(made["engineer.html"].encode()) <= 2 * 1024 * 1024
    assert "1100 more are in backups.csv." in made["engineer.html"]
    assert len(made["backups.csv"].splitlines()) == 1201
