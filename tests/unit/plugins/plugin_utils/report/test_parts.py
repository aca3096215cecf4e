# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts that deceive the eye, Markdown, spreadsheets, times and shapes: the small pure parts of a report."""

from __future__ import annotations

import gettext

import fleet_maker
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ansible_collections.keepwell.fleet.plugins.plugin_utils import models
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import STATES
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report import charts
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.clock import clock_for
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import desk_for, first
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.engineer import improve_steps
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.environment import markdown_escape
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.tables import cell
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.visible import has_signs, presentable, visible


def test_deceiving_characters_become_signs():
    assert visible("two\nlines\ttab\0") == "two␊lines␉tab␀"
    assert visible("web\u202egpj.exe") == "web⟨U+202E⟩gpj.exe"
    assert visible("büro 🖨 日本") == "büro 🖨 日本"
    assert has_signs(visible("a\nb"))
    assert not has_signs("plain text")


@given(st.text(), st.text())
def test_different_texts_stay_different(one, other):
    assert (visible(one) == visible(other)) == (one == other)


def test_a_run_without_such_characters_is_taken_as_it_is():
    run = fleet_maker.make_run(3)
    assert presentable(run) is run
    hostile = fleet_maker.make_run(3, hostile=True)
    assert "\u202e" in hostile.model_dump_json()
    assert "\u202e" not in presentable(hostile).model_dump_json()


@given(st.text())
def test_markdown_shows_a_text_as_itself(text):
    shown = visible(text)
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render("- x: " + markdown_escape(shown))
    assert set(html.split("<")[1:]) >= set()
    for tag in ("<em", "<strong", "<code", "<a ", "<img", "<h", "<table", "<script", "<br"):
        assert tag not in html


@pytest.mark.parametrize("text", ["# head", "1. one", "12) two", "- dash", "+ plus", "===", "> quote"])
def test_a_text_at_the_start_of_an_item_opens_nothing(text):
    html = MarkdownIt().render(f"- {markdown_escape(text)}")
    assert html.count("<li>") == 1
    assert "<h" not in html
    assert "<blockquote" not in html


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"])  # noqa: RUF001 - full width on purpose
def test_a_spreadsheet_never_gets_a_formula(text):
    assert cell(text) == "'" + text


def test_ordinary_cells_stay_as_they_are():
    assert [cell(value) for value in ("web01", 3, "a=b", "")] == ["web01", "3", "a=b", ""]


def test_times_are_the_clients_and_never_rounded_up():
    clock, warning = clock_for("Europe/Amsterdam", models.epoch("2026-11-23T03:00:00Z"))
    assert warning == ""
    assert clock.moment("2026-11-22T23:30:59Z") == "23 Nov 2026, 00:30"
    assert clock.moment("2026-07-22T23:30:59Z") == "23 Jul 2026, 01:30"
    assert clock.age("2026-11-21T03:00:01Z") == "1 day"
    late = clock.deadline("2026-11-20T02:00:00Z")
    assert late is not None
    assert (late.overdue, late.distance, late.day) == (True, "3 days", "20 Nov 2026")
    assert clock.deadline(None) is None


@pytest.mark.parametrize("name", ["Mars/Olympus", "../../etc/passwd", "", "/etc/localtime"])
def test_an_unknown_time_zone_becomes_utc_and_says_so(name):
    clock, warning = clock_for(name, 0.0)
    assert clock.zone_name == "UTC"
    assert "times are UTC" in warning


def test_a_list_never_ends_with_one_more():
    assert first([1, 2, 3], 2).items == [1, 2, 3]
    shown = first([1, 2, 3, 4], 2)
    assert (shown.items, shown.more, shown.total) == ([1, 2], 2, 4)


def test_neighbours_of_one_state_share_a_rectangle_and_gaps_stay_open():
    chart = charts.heat_map("x", [["ok", "ok", None, "crit"]])
    by_state = {layer.state: layer for layer in chart.layers}
    assert by_state["ok"].path == f"M0 9h{2 * charts.COLUMN}v4h-{2 * charts.COLUMN}z"
    assert by_state["crit"].path.startswith(f"M{3 * charts.COLUMN} ")
    assert (by_state["ok"].cells, by_state["crit"].cells) == (2, 1)


def test_a_thousand_healthy_hosts_are_drawn_in_little_space():
    chart = charts.heat_map("x", [["ok"] * 24] * 1000)
    assert sum(len(layer.path) for layer in chart.layers) < 35_000


@given(st.lists(st.sampled_from(STATES), min_size=1, max_size=400))
def test_a_bar_fills_its_width_and_hides_nothing(states):
    counts = models.Counts(total=len(states), **{state: states.count(state) for state in STATES})
    chart = charts.state_bar("x", counts)
    assert {layer.state for layer in chart.layers} == set(states)
    widths = [int(layer.path.split("h")[1].split("v")[0]) for layer in chart.layers]
    assert min(widths) >= 4
    assert sum(widths) + 2 * (len(widths) - 1) == chart.width


def test_what_limits_the_grade_is_told_once():
    grade = models.Grade(
        model=1,
        letter="C",
        caps=[
            models.GradeCap(letter="C", reason="something critical is open"),
            models.GradeCap(letter="B", reason="no proof"),
        ],
        improve=["Something critical is open.", "Patch."],
    )
    assert [(step.text, step.cap) for step in improve_steps(grade)] == [
        ("No proof.", "B"),
        ("Something critical is open.", "C"),
        ("Patch.", ""),
    ]
    assert improve_steps(None) == []


def test_every_word_goes_through_the_translations():
    class Shouting(gettext.NullTranslations):
        def pgettext(self, _context, message):
            return message.upper()

    assert desk_for(fleet_maker.make_run(1), Shouting()).badges["crit"].word == "CRITICAL"
