"""The report of a period and the overview of all clients: same numbers everywhere, inert, within budget, no mixing."""

from __future__ import annotations

import csv
import functools
import io
import json
import re
from gettext import NullTranslations

import fleet_maker
import period_maker
import pytest
from page_reader import TEMPLATES, Reader, tiles

from ansible_collections.keepwell.fleet.plugins.plugin_utils import counting, models
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import STATES
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import dump
from ansible_collections.keepwell.fleet.plugins.plugin_utils.period.models import Period
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.charts import grade_line
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.environment import Templates
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.fleet import Member, fleet_files, fleet_view
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.period import POINTS, period_files, period_view
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.period_tables import COLUMNS, sheets
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Run

TEXTS = NullTranslations()
NOW = fleet_maker.NOW
KIB = 1024


@functools.cache
def made(name: str) -> tuple[Run, Period]:
    count, _, hostile = name.partition(" ")
    return period_maker.made(int(count), 5, hostile=bool(hostile))


def render(run: Run, period: Period) -> str:
    [content] = period_files(run, period, Templates(TEMPLATES, TEXTS), TEXTS, None, ["period.json"]).values()
    return content.decode()


@functools.cache
def page(name: str) -> str:
    return render(*made(name))


every = pytest.mark.parametrize("name", ["1", "14", "14 hostile"])


def checked(text: str, outer: set[str]) -> None:
    reader = Reader(text)
    assert not reader.stack
    assert reader.tags["h1"] == 1
    assert not reader.tags.keys() & {"script", "iframe", "object", "embed", "form", "link", "base", "img"}
    names = {attribute for _tag, attribute, _value in reader.attributes}
    assert "style" not in names
    assert not [attribute for attribute in names if attribute.startswith("on")]
    assert len(reader.ids) == len(set(reader.ids))
    links = {value for _tag, attribute, value in reader.attributes if attribute == "href"}
    assert {value for value in links if not value.startswith("#")} <= outer
    paints = {value[5:-1] for _tag, name, value in reader.attributes if name == "fill" and value.startswith("url")}
    assert paints <= set(reader.ids)


@every
def test_the_page_is_well_formed_and_inert(name: str) -> None:
    checked(page(name), {"period.json"})


@every
def test_the_same_evidence_makes_the_same_bytes(name: str) -> None:
    run, period = made(name)
    assert render(run, Period.model_validate_json(dump(period))) == page(name)
    assert sheets(Period.model_validate_json(dump(period))) == sheets(period)


@every
def test_every_output_tells_the_same_numbers(name: str) -> None:
    run, period = made(name)
    counts = counting.count_run(run.hosts)
    assert tiles(page(name)) == (
        {state: getattr(counts.hosts, state) for state in STATES},
        {state: getattr(counts.results, state) for state in STATES},
    )
    document = json.loads(dump(period))
    assert document["runs"][-1]["counts"]["results"]["total"] == counts.results.total
    flow = re.search(r'<section id="flow">.*?<tfoot>(.*?)</tfoot>', page(name), re.DOTALL)
    assert flow
    before, new, _scheduled, closed, _changed, _accepted, still = map(int, re.findall(r">(\d+)</td>", flow[1]))
    rows = list(csv.DictReader(io.StringIO(sheets(period)["findings.csv"].decode(), newline="")))
    assert before + new == closed + still == len(rows) == len(document.get("tracks", []))
    assert still == sum(not row["ended"] for row in rows)
    assert new == sum(row["first_seen"] >= period.begin for row in rows)
    view = period_view(run, period, TEXTS)
    for part in ("before", "new", "closed", "open", "scheduled"):
        assert sum(getattr(row.flow, part) for row in view.flows) == getattr(view.together, part)
    assert sum(row.done for row in view.work) == sum(entry.outcome == "done" for entry in period.changes)
    for point in view.trend.items:
        assert sum(number for _badge, number in point.counts) == point.run.counts.results.total  # type: ignore[union-attr]


@every
def test_spreadsheets_hold_every_entry_and_no_formula(name: str) -> None:
    _run, period = made(name)
    files = sheets(period)
    assert set(files) == {f"{register}.csv" for register in COLUMNS}
    sizes = {"population": period.hosts, "runs": period.runs, "changes": period.changes, "restores": period.restores}
    for register, entries in sizes.items():
        rows = list(csv.reader(io.StringIO(files[f"{register}.csv"].decode(), newline="")))
        assert len(rows) == len(entries) + 1
        for row in rows:
            assert len(row) == len(COLUMNS[register])
            assert not [cell for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))]


def test_what_can_be_told_of_who_found_it_is_told_and_no_more() -> None:
    assert "Whether somebody had called about it before, Keepwell cannot tell: it knows no tickets." in page("14")
    view = period_view(*made("14"), TEXTS)
    assert 0 < view.together.scheduled < view.together.new


def test_a_long_period_shows_as_many_days_as_can_be_seen_and_the_last_one() -> None:
    run, period = period_maker.made(1, 90)
    trend = period_view(run, period, TEXTS).trend
    assert len(trend.items) <= POINTS
    assert len(trend.items) + trend.more == 89
    assert trend.items[-1].run.run_id == run.header.run_id


@pytest.mark.parametrize(("name", "limit"), [("1", 64 * KIB), ("14", 96 * KIB), ("1000", 512 * KIB)])
def test_the_page_stays_within_its_budget(name: str, limit: int) -> None:
    assert len(page(name).encode()) <= limit


def test_hostile_texts_stay_texts() -> None:
    text = page("14 hostile")
    assert "onerror=alert(1)>" not in text
    assert "\u202e" not in text


# --- all clients


def member(client: str, count: int, *, days_ago: float = 0, hostile: bool = False) -> Member:
    run = fleet_maker.make_run(count, hostile=hostile)
    owner = run.header.client.model_copy(update={"id": client})
    header = run.header.model_copy(update={"client": owner})
    ended = models.iso(NOW - days_ago * 86400)
    return Member(client, run.model_copy(update={"header": header, "ended_at": ended}))


def fleet(members: list[Member]) -> str:
    return fleet_files(members, Templates(TEMPLATES, TEXTS), TEXTS, NOW)["overview.html"].decode()


def test_the_overview_adds_up_all_clients() -> None:
    members = [member("one", 14), member("two", 1), member("three", 40)]
    text = fleet(members)
    checked(text, set())
    runs = [entry.run for entry in members if entry.run]
    hosts, results = tiles(text)
    for state in STATES:
        assert hosts[state] == sum(getattr(counting.count_run(run.hosts).hosts, state) for run in runs)
        assert results[state] == sum(getattr(counting.count_run(run.hosts).results, state) for run in runs)
    assert text == fleet(members[::-1])


def test_a_client_that_nobody_looked_at_comes_first_and_one_without_a_run_is_named() -> None:
    view = fleet_view(
        [member("busy", 14), member("asleep", 1, days_ago=5), Member("new", None, trouble="none")], TEXTS, NOW
    )
    assert [row.id for row in view.rows] == ["asleep", "busy"]
    assert (view.stale, view.silent) == (1, [("new", "none")])


def test_the_overview_of_hostile_clients_is_inert() -> None:
    text = fleet([member("evil", 14, hostile=True), Member("<b>", None, trouble="<script>\u202e")])
    checked(text, set())
    assert "\u202e" not in text


def test_no_client_at_all_is_a_page_too() -> None:
    assert "No client has a run." in fleet([])


def test_the_line_of_grades_goes_down_with_them_and_breaks_where_there_was_none() -> None:
    line = grade_line(["A", "C", "", "B"])
    assert line is not None
    assert line.path == "M6 6h0L30 30M78 18h0"
    assert (line.end_x, line.end_y) == (78, 18)
    assert line.width == 84
    assert grade_line(["", "A", ""]) is None
    assert grade_line([]) is None


def test_the_page_shows_the_grades_of_its_days_as_a_line_and_in_words() -> None:
    run, period = made("14")
    page, view = render(run, period), period_view(run, period, TEXTS)
    letters = [point.letter for point in view.trend.items][-12:]
    assert len([letter for letter in letters if letter != "-"]) > 1
    said = re.search(r'<desc id="grades-d">(.*?)</desc>', page).group(1)
    assert [part.rsplit(" ", 1)[1] for part in said.split("; ")] == letters
    assert f"</svg> <b>{letters[-1]}</b>" in page
