"""From beats to availability: monitor outages, declared windows over clock changes, hosts that nobody ever reached."""

from __future__ import annotations

import typing as t
from zoneinfo import ZoneInfo

import pytest

from ansible_collections.keepwell.fleet.plugins.plugin_utils.availability import series, telling
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows import calendar
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.declared import declared
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import epoch, iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Availability, AvailabilityRow
from ansible_collections.keepwell.fleet.plugins.plugin_utils.watch.book import Moment
from ansible_collections.keepwell.fleet.plugins.plugin_utils.watch.models import Beat, DeclaredWindow, Open, Sample

BEGIN = epoch("2026-11-01T00:00:00Z")
TAU = 300.0
DAY = 86400.0
UP = Sample(answer="ok", known=True, boot="one")
FAIL = Sample(answer="fail", known=True, misses=1)


def moments(
    samples: t.Callable[[float], dict[str, Sample]], begin: float, end: float, step: float = TAU
) -> t.Iterator[Moment]:
    at = begin
    while at < end:
        hosts = samples(at)
        if hosts:
            yield Moment(at, Beat(at=iso(at), interval_s=int(step)), hosts, hosts)
        at += step


def rows(found: Availability | None) -> dict[tuple[str, str], AvailabilityRow]:
    assert found is not None
    return {(row.host, row.service): row for row in found.rows}


def measured(
    samples: t.Callable[[float], dict[str, Sample]],
    begin: float = BEGIN,
    end: float = BEGIN + DAY,
    population: t.Sequence[str] = (),
    targets: t.Mapping[str, float] | None = None,
) -> dict[tuple[str, str], AvailabilityRow]:
    found = series.availability(moments(samples, begin, end), population, targets or {}, begin, end)
    return rows(found)


def test_two_hours_without_the_monitor_are_a_gap_and_no_100_percent() -> None:
    def day(at: float) -> dict[str, Sample]:
        return {} if BEGIN + 36000 <= at < BEGIN + 43200 else {"a": UP, "b": UP}

    row = measured(day)["a", ""]
    assert row.gap_s == 7200 - TAU
    assert row.state == "unknown"
    assert row.coverage_percent is not None
    assert row.coverage_percent < 95
    assert row.pessimistic_percent is not None
    assert row.pessimistic_percent < 93


def test_when_all_fail_at_once_the_monitor_was_out() -> None:
    def day(at: float) -> dict[str, Sample]:
        lost = BEGIN + 36000 <= at < BEGIN + 37200
        return {"a": FAIL if lost else UP, "b": FAIL if lost else UP}

    found = measured(day)
    assert (found["a", ""].down_s, found["a", ""].gap_s, found["a", ""].outages) == (0.0, 1200.0, 0)


def test_a_host_that_nobody_reached_all_month_is_unknown_and_in_the_denominator() -> None:
    end = BEGIN + 30 * DAY
    found = measured(lambda _at: {"a": UP, "b": FAIL}, end=end, targets={"a": 99.9, "b": 99.9})
    assert found["b", ""].state == "unknown"
    assert found["b", ""].note == "never seen up in this time"
    assert (found["b", ""].down_s, found["b", ""].gap_s) == (0.0, 30 * DAY)
    together = found["", ""]
    assert (together.coverage_percent, together.pessimistic_percent, together.observed_percent) == (50.0, 50.0, 100.0)
    assert together.state == "unknown"


def test_a_host_that_no_beat_ever_asked_counts_too() -> None:
    found = measured(lambda _at: {"a": UP}, population=["a", "forgotten"])
    assert found["forgotten", ""].note == "never asked in this time"
    assert found["", ""].coverage_percent == 50.0


def test_less_than_agreed_is_act_and_the_budget_tells_by_how_much() -> None:
    def day(at: float) -> dict[str, Sample]:
        return {"a": FAIL if BEGIN + 3600 <= at < BEGIN + 7200 else UP, "b": UP}

    row = measured(day, targets={"a": 99.9})["a", ""]
    assert (row.state, row.down_s, row.outages) == ("act", 3600.0, 1)
    assert row.observed_percent == 95.833
    assert row.budget_left_s == pytest.approx(86.4 - 3600)


def test_a_service_is_down_while_its_host_is_up_and_with_its_host() -> None:
    watched = {"watched": ["nginx.service", "cron.service"]}
    down = Open(check="services.watched", object="nginx.service", state="crit", since=iso(BEGIN))

    def day(at: float) -> dict[str, Sample]:
        if at < BEGIN + 3600:
            return {"a": UP.model_copy(update={**watched, "findings": [down]}), "b": UP}
        sample = FAIL if at < BEGIN + 7200 else UP
        return {"a": sample.model_copy(update=watched), "b": UP}

    found = measured(day)
    assert found["a", "nginx.service"].down_s == 7200
    assert found["a", "cron.service"].down_s == 3600
    assert found["a", ""].down_s == 3600


def test_a_service_that_could_not_be_asked_for_is_not_known() -> None:
    blind = Open(check="services.watched", object="", state="unknown", since=iso(BEGIN))
    sample = UP.model_copy(update={"watched": ["nginx.service"], "findings": [blind]})
    assert measured(lambda _at: {"a": sample, "b": UP})["a", "nginx.service"].coverage_percent == 0.0


def window(begin: float, end: float) -> DeclaredWindow:
    return DeclaredWindow(name="w", begin=iso(begin), end=iso(end))


def test_a_window_counts_only_when_it_was_declared_before_it_began() -> None:
    begin, end = BEGIN + 36000, BEGIN + 43200

    def day(since: float) -> t.Callable[[float], dict[str, Sample]]:
        def samples(at: float) -> dict[str, Sample]:
            sample = FAIL if begin <= at < end else UP
            known = [window(begin, end)] if since <= at < end else []
            return {"a": sample.model_copy(update={"windows": known}), "b": UP}

        return samples

    in_time, too_late = measured(day(begin - TAU))["a", ""], measured(day(begin + TAU))["a", ""]
    assert (in_time.excluded_s, in_time.down_s, in_time.observed_percent) == (7200.0, 0.0, 100.0)
    assert (too_late.excluded_s, too_late.down_s) == (0.0, 7200.0)


def built(**windows: t.Any) -> calendar.Calendar:
    found, problems = calendar.build({"keepwell_windows": windows}, "Europe/Amsterdam")
    assert problems == []
    return found


def terms(day: str, start: str, duration: str) -> dict[str, t.Any]:
    return {"rule": {"once": day}, "start": start, "duration": duration, "allow": ["patch"]}


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_windows_over_a_clock_change_that_overlap_are_left_out_once_and_in_their_length(day: str) -> None:
    windows = built(night=terms(day, "01:00", "4h"), early=terms(day, "01:30", "2h"))
    begin = epoch(f"{day}T00:00:00Z") - 7200

    def night(at: float) -> dict[str, Sample]:
        known = [
            DeclaredWindow(name=name, begin=iso(span.begin), end=iso(span.end))
            for name, span in declared(windows, at, at + DAY)
        ]
        return {"a": UP.model_copy(update={"windows": known}), "b": UP}

    assert measured(night, begin, begin + DAY)["a", ""].excluded_s == 4 * 3600.0


def test_what_a_blackout_closes_is_no_window() -> None:
    blackouts = [{"name": "payroll", "rule": {"once": "2026-11-15"}, "start": "23:00", "duration": "1h"}]
    found, problems = calendar.build(
        {"keepwell_windows": {"w": terms("2026-11-15", "22:00", "4h")}, "keepwell_blackouts": blackouts}, "UTC"
    )
    assert problems == []
    begin = epoch("2026-11-15T22:00:00Z")
    spans = [(span.begin - begin, span.end - begin) for _name, span in declared(found, begin, begin + DAY)]
    assert spans == [(0.0, 3600.0), (7200.0, 14400.0)]


def test_a_beat_of_a_part_of_the_hosts_says_nothing_of_the_others() -> None:
    def some(at: float) -> dict[str, Sample]:
        return {"a": UP, "b": UP} if (at - BEGIN) % 3600 == 0 else {"a": UP}

    found = measured(some)
    assert found["a", ""].coverage_percent == 100.0
    assert found["b", ""].coverage_percent == pytest.approx(100 * 600 / 3600, abs=0.001)


def test_restarts_are_counted() -> None:
    found = measured(lambda at: {"a": UP.model_copy(update={"boot": "one" if at < BEGIN + 3600 else "two"}), "b": UP})
    assert (found["a", ""].restarts, found["", ""].restarts) == (1, 1)


def test_beats_that_were_changed_make_no_figure() -> None:
    beats = moments(lambda _at: {"a": UP, "b": UP}, BEGIN, BEGIN + DAY)
    found = series.availability(beats, (), {}, BEGIN, BEGIN + DAY, lambda: ["line 7 was changed"])
    assert found is not None
    assert found.altered == ["line 7 was changed"]
    assert {row.state for row in found.rows} == {"unknown"}


def test_without_a_beat_there_is_nothing_to_tell() -> None:
    assert series.availability([], ["a"], {}, BEGIN, BEGIN + DAY) is None


def test_nearly_all_is_never_told_as_all() -> None:
    assert series._percent(0.9999999) == 99.999
    assert series._percent(1.0) == 100.0


def test_months_are_those_of_the_clients_calendar() -> None:
    zone = ZoneInfo("Europe/Amsterdam")
    now = epoch("2026-11-27T12:00:00Z")
    assert telling.month(None, zone, now) == ("2026-10", epoch("2026-09-30T22:00:00Z"), epoch("2026-10-31T23:00:00Z"))
    assert telling.month("2026-11", zone, now)[2] == now
    for wrong in ("2026-13", "November", "2027-01"):
        with pytest.raises(ValueError, match="month: "):
            telling.month(wrong, zone, now)


def one_window(begin: float, end: float) -> DeclaredWindow:
    return DeclaredWindow(name="night", begin=iso(begin), end=iso(end))


@pytest.mark.parametrize(
    ("withdrawn_at", "excluded"),
    [
        (None, 7200.0),
        (BEGIN + 18000, 0.0),  # two hours before it would have begun
        (BEGIN + 28800, 3600.0),  # in the middle: what it was until then
        (BEGIN + 36000, 7200.0),  # when it was over
    ],
)
def test_a_window_that_was_withdrawn_excludes_nothing_more(withdrawn_at: float | None, excluded: float) -> None:
    begin, end = BEGIN + 25200, BEGIN + 32400

    def day(at: float) -> dict[str, Sample]:
        gone = at >= end or (withdrawn_at is not None and at >= withdrawn_at)
        return {"a": UP.model_copy(update={"windows": [] if gone else [one_window(begin, end)]}), "b": UP}

    assert measured(day)["a", ""].excluded_s == excluded


def test_a_window_that_is_moved_or_made_longer_in_time_counts_as_it_was_then() -> None:
    begin, end = BEGIN + 25200, BEGIN + 32400

    def moved(at: float) -> dict[str, Sample]:
        known = one_window(begin, end) if at < begin - 3600 else one_window(begin + 1800, end + 1800)
        return {"a": UP.model_copy(update={"windows": [known] if at < end + 1800 else []}), "b": UP}

    def longer(at: float) -> dict[str, Sample]:
        known = one_window(begin, end) if at < begin + 600 else one_window(begin, end + 3600)
        return {"a": UP.model_copy(update={"windows": [known] if at < end + 3600 else []}), "b": UP}

    assert measured(moved)["a", ""].excluded_s == 7200
    # What was added once it had begun was not announced.
    assert measured(longer)["a", ""].excluded_s == 7200


def test_one_beat_alone_is_no_100_percent() -> None:
    def once(at: float) -> dict[str, Sample]:
        return {"a": UP, "b": UP} if at == BEGIN else {}

    found = measured(once, end=BEGIN + TAU)
    assert [(row.observed_percent, row.coverage_percent, row.state) for row in found.values()] == [
        (None, 0.0, "unknown")
    ] * 3

    def twice(at: float) -> dict[str, Sample]:
        return {"a": UP, "b": UP}

    assert measured(twice, end=BEGIN + 2 * TAU)["a", ""].observed_percent == 100.0
