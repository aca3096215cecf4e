"""Availability: what was up, down and not known, against a slow reference that looks at every single minute."""

from __future__ import annotations

import re
import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.plugin_utils.availability import figures
from ansible_collections.keepwell.fleet.plugins.plugin_utils.availability.figures import Figures, Point, Span

MINUTE = 60.0
TAU = 5
DAY = 24 * 60


def minutes(points: t.Iterable[tuple[int, str]], hold: int = 2 * TAU) -> list[Point]:
    words: dict[str, figures.Answer] = {"O": "ok", "F": "fail", "U": "unknown"}
    return [Point(at * MINUTE, words[letter], hold * MINUTE) for at, letter in points]


def every(letters: str, begin: int = 0, step: int = TAU) -> list[tuple[int, str]]:
    return [(begin + step * number, letter) for number, letter in enumerate(letters) if letter != " "]


def measured(points: list[tuple[int, str]], end: int, excluded: t.Iterable[tuple[int, int]] = ()) -> Figures:
    spans = [Span(a * MINUTE, b * MINUTE) for a, b in excluded]
    return figures.measure(minutes(points), Span(0.0, end * MINUTE), spans)


def reference(
    points: list[tuple[int, str]], end: int, excluded: t.Sequence[tuple[int, int]], hold: int
) -> tuple[int, int, int, int]:
    """Minutes up, down, in a gap and excluded. Outages are found in a text of letters, with H for a hole."""
    text = ""
    places = []
    for place, (at, letter) in enumerate(points):
        places.append(len(text))
        text += letter
        if place + 1 < len(points) and points[place + 1][0] - at > hold:
            text += "H"
    down = [False] * len(text)
    for outage in re.finditer(r"FF.*?(?=OO|$)", text):
        down[outage.start() : outage.end()] = [True] * (outage.end() - outage.start())
    up_minutes = down_minutes = gap = out = 0
    for minute in range(end):
        if any(begin <= minute < until for begin, until in excluded):
            out += 1
            continue
        before = [place for place, (at, _letter) in enumerate(points) if at <= minute]
        if not before or minute >= points[before[-1]][0] + hold:
            gap += 1
            continue
        letter, is_down = points[before[-1]][1], down[places[before[-1]]]
        if letter == "U" or (letter == "F" and not is_down):
            gap += 1
        elif is_down:
            down_minutes += 1
        else:
            up_minutes += 1
    return up_minutes, down_minutes, gap, out


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[tuple[int, str]], int, list[tuple[int, int]], int]:
    end = draw(st.integers(30, 400))
    hold = draw(st.integers(1, 20))
    # Some begin before the period and some lie behind it: both belong to it.
    ats = sorted(draw(st.sets(st.integers(-40, end + 40), max_size=70)))
    letters = draw(st.lists(st.sampled_from("OOOOFFU"), min_size=len(ats), max_size=len(ats)))
    spans = draw(st.lists(st.tuples(st.integers(-50, end), st.integers(1, 120)), max_size=4))
    return list(zip(ats, letters, strict=True)), end, [(begin, begin + length) for begin, length in spans], hold


@given(stories())
@settings(max_examples=300)
def test_it_agrees_with_looking_at_every_minute(
    story: tuple[list[tuple[int, str]], int, list[tuple[int, int]], int],
) -> None:
    points, end, excluded, hold = story
    spans = [Span(a * MINUTE, b * MINUTE) for a, b in excluded]
    found = figures.measure(minutes(points, hold), Span(0.0, end * MINUTE), spans)
    up, down, gap, out = reference(points, end, excluded, hold)
    assert (found.up_s, found.down_s, found.gap_s, found.excluded_s) == tuple(
        number * MINUTE for number in (up, down, gap, out)
    )


@given(stories())
@settings(max_examples=150)
def test_equal_samples_in_a_row_may_be_one_point(
    story: tuple[list[tuple[int, str]], int, list[tuple[int, int]], int],
) -> None:
    points, end, excluded, hold = story
    period, spans = Span(0.0, end * MINUTE), [Span(a * MINUTE, b * MINUTE) for a, b in excluded]
    single = minutes(points, hold)
    together = figures.joined(single)
    assert sum(point.samples for point in together) == len(single)
    assert figures.measure(together, period, spans) == figures.measure(single, period, spans)


@given(stories())
@settings(max_examples=100)
def test_times_add_up_and_the_three_figures_are_in_order(
    story: tuple[list[tuple[int, str]], int, list[tuple[int, int]], int],
) -> None:
    points, end, excluded, _hold = story
    found = measured(points, end, excluded)
    assert found.up_s + found.down_s + found.gap_s + found.excluded_s == pytest.approx(found.period_s)
    if found.observed is not None:
        assert found.pessimistic is not None
        assert found.optimistic is not None
        assert found.pessimistic <= found.observed <= found.optimistic


def test_a_quiet_day_is_all_up() -> None:
    found = measured(every("O" * 288), DAY)
    assert (found.observed, found.coverage, found.outages) == (1.0, 1.0, ())


def test_an_outage_is_dated_back_to_its_first_miss_and_ends_at_the_first_of_two_answers() -> None:
    found = measured(every("OOFFFOFOO"), 45)
    assert found.down_s == 5 * TAU * MINUTE, "the single answer in between does not end it"
    assert [(outage.begin, outage.end) for outage in found.outages] == [(10 * MINUTE, 35 * MINUTE)]
    assert found.outages[0].uncertainty_s == 2 * TAU * MINUTE


def test_a_single_miss_is_a_gap_and_not_an_outage() -> None:
    found = measured(every("OOOFOOOO"), 40)
    assert (found.down_s, found.gap_s, found.outages) == (0.0, TAU * MINUTE, ())


def test_an_outage_that_lasts_has_no_end() -> None:
    found = measured(every("OOFF"), 20)
    assert found.outages[0].end is None


def test_two_hours_without_a_monitor_are_a_gap_and_never_100_percent() -> None:
    letters = "O" * 120 + " " * 24 + "O" * 144
    found = measured(every(letters), DAY)
    assert found.gap_s == 115 * MINUTE, "the last sample before it holds for two intervals"
    assert found.coverage is not None
    assert found.coverage < 0.95
    assert not found.measurable
    assert found.pessimistic is not None
    assert found.pessimistic < 1.0
    assert found.optimistic == 1.0


def test_overlapping_windows_are_excluded_once() -> None:
    found = measured(every("O" * 288), DAY, [(60, 180), (120, 240), (200, 210), (240, 250)])
    assert found.excluded_s == 190 * MINUTE


def test_what_overruns_its_window_is_down() -> None:
    letters = ["O"] * 288
    letters[12:30] = "F" * 18
    found = measured(every("".join(letters)), DAY, [(60, 120)])
    assert found.down_s == 30 * MINUTE
    assert found.excluded_s == 60 * MINUTE


def test_the_budget_is_that_of_the_time_that_counts() -> None:
    found = Figures(30 * 86400.0, 0.0, 30 * 86400.0 - 600.0, 600.0, 0.0, ())
    assert found.budget_left_s(99.9) == pytest.approx(43 * 60 + 12 - 600)


def test_several_hosts_add_up_their_times() -> None:
    one, other = measured(every("O" * 288), DAY), measured(every("U" * 288), DAY)
    together = figures.total([one, other])
    assert together.observed == 1.0
    assert together.coverage == 0.5
    assert together.pessimistic == 0.5
    assert not together.measurable
