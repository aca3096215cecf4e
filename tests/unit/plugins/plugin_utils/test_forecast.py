"""The forecast: what holds for every series, and the limits at which it starts and stops to speak."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.plugin_utils import forecast

DAY = forecast.DAY
START = 1795305600.0
values = st.lists(st.floats(0, 1e12, allow_nan=False), min_size=7, max_size=40)


def daily(numbers: list[float]) -> list[tuple[float, float]]:
    return [(START + day * DAY, value) for day, value in enumerate(numbers)]


@pytest.mark.parametrize(("days", "speaks"), [(6, False), (7, True), (8, True)])
def test_a_week_of_daily_points_is_needed(days: int, speaks: bool) -> None:
    found = forecast.forecast(daily([float(day) for day in range(days)]), 30, 100)
    assert isinstance(found, forecast.Forecast) is speaks


def test_many_points_of_three_days_are_no_week() -> None:
    points = [(START + hour * 3600.0, float(hour)) for hour in range(72)]
    assert isinstance(forecast.forecast(points, 30, 1000), forecast.Thin)


def test_steady_growth_gives_one_number() -> None:
    found = forecast.forecast(daily([float(day) for day in range(30)]), 45.0, 1000.0)
    assert isinstance(found, forecast.Forecast)
    assert (found.low, found.median, found.high, found.n, found.slope) == (45.0, 45.0, 45.0, 30, 1.0)


def test_one_wild_day_does_not_bend_the_slope() -> None:
    numbers = [float(day) for day in range(30)]
    numbers[12] += 40.0
    found = forecast.forecast(daily(numbers), 45.0, 1000.0)
    assert isinstance(found, forecast.Forecast)
    assert found.slope == pytest.approx(1.0, abs=0.05)


def test_a_cleanup_starts_the_series_anew() -> None:
    numbers = [float(day) * 2 for day in range(20)] + [5.0 + day for day in range(10)]
    found = forecast.forecast(daily(numbers), 45.0, 100.0)
    assert isinstance(found, forecast.Forecast)
    assert (found.n, found.slope) == (10, 1.0)


@pytest.mark.parametrize(("drop", "left"), [(5.0, 20), (5.1, 10)])
def test_a_drop_counts_beyond_five_percent_of_the_size(drop: float, left: int) -> None:
    numbers = [50.0] * 10 + [50.0 - drop] * 10
    assert len(forecast.last_segment(daily(numbers), 100.0)) == left


def test_a_series_that_swings_is_not_cut_at_every_swing() -> None:
    numbers = [10.0, 20.0] * 10
    assert len(forecast.last_segment(daily(numbers), 100.0)) == 20


def test_a_change_of_size_starts_the_series_anew() -> None:
    sizes = [(START + day * DAY, 100.0 if day < 15 else 200.0) for day in range(30)]
    assert len(forecast.last_segment(daily([float(day) for day in range(30)]), 200.0, sizes)) == 15


def test_ten_years_are_the_most_it_says() -> None:
    found = forecast.forecast(daily([day * 1e-6 for day in range(30)]), 1e9, 1e9)
    assert isinstance(found, forecast.Forecast)
    assert found.median == found.high == forecast.HORIZON_DAYS


def test_an_interval_that_holds_zero_makes_no_claim() -> None:
    found = forecast.forecast(daily([float(day % 3) for day in range(30)]), 1.0, 1000.0)
    assert isinstance(found, forecast.Forecast)
    assert (found.trend, found.median) == ("unclear", None)


@given(values, st.floats(1, 1e12))
def test_the_interval_is_in_order_and_bounded(numbers: list[float], available: float) -> None:
    found = forecast.forecast(daily(numbers), available, 1e12)
    if isinstance(found, forecast.Forecast) and found.trend == "growing":
        assert found.low is not None and found.median is not None and found.high is not None
        assert 0 <= found.low <= found.median <= found.high <= forecast.HORIZON_DAYS


@given(st.lists(st.integers(0, 10**12), min_size=7, max_size=30), st.integers(-1000, 1000))
def test_days_earlier_or_later_change_nothing(numbers: list[int], shift: int) -> None:
    points = daily([float(number) for number in numbers])
    moved = [(at + shift * DAY, value) for at, value in points]
    assert forecast.forecast(points, 1e10, 1e12) == forecast.forecast(moved, 1e10, 1e12)


@given(st.permutations(daily([float(day) for day in range(10)])))
def test_the_order_of_points_does_not_matter(points: list[tuple[float, float]]) -> None:
    assert forecast.forecast(points, 50.0, 100.0) == forecast.forecast(sorted(points), 50.0, 100.0)


@given(values)
def test_what_only_shrinks_is_never_full(numbers: list[float]) -> None:
    found = forecast.forecast(daily(sorted(numbers, reverse=True)), 1e9, 1e12)
    assert isinstance(found, forecast.Thin) or found.trend == "none"


def test_the_burst_rule_needs_two_points_and_growth() -> None:
    now = START
    assert forecast.hours_to_full([(now, 5.0)], 10.0, now, 6.0) is None
    assert forecast.hours_to_full([(now - 3600, 5.0), (now, 5.0)], 10.0, now, 6.0) is None
    assert forecast.hours_to_full([(now - 3600, 4.0), (now, 5.0)], 10.0, now, 6.0) == pytest.approx(10.0)
    assert forecast.hours_to_full([(now - 60, 4.0), (now, 5.0)], 10.0, now, 6.0) is None
    assert forecast.hours_to_full([(now - 9 * 3600, 0.0), (now, 5.0)], 10.0, now, 6.0) is None
