"""Maintenance windows: open when they should be, whatever the clocks do, and closed in every doubt."""

from __future__ import annotations

import datetime
import typing as t
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.plugin_utils import windows

CASES = sorted((Path(__file__).parents[2] / "cases" / "windows").glob("*.yml"))
ZONES = ("UTC", "Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kathmandu")
# Days on which clocks change somewhere, and their neighbours.
CHANGES = [
    datetime.date(*day)
    for day in ((2026, 3, 8), (2026, 3, 29), (2026, 4, 5), (2026, 10, 4), (2026, 10, 25), (2026, 11, 1), (2018, 11, 4))
]
NEAR_CHANGES = st.builds(lambda day, off: day + datetime.timedelta(off), st.sampled_from(CHANGES), st.integers(-2, 2))
MINUTES = st.integers(0, 24 * 60 - 1)


def terms(**more: t.Any) -> dict[str, t.Any]:
    return {"rule": {"weekly": ["sun"]}, "start": "22:00", "duration": "4h", "allow": ["patch"], **more}


def built(zone: str, **entries: t.Any) -> list[windows.Window]:
    found, problems = windows.build(entries, zone)
    assert problems == []
    return found


def at(value: t.Any, zone: str) -> float:
    """A moment of a case: UTC when it ends with Z, else a local time that comes once."""
    text = str(value)
    moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(zone))
        assert moment.utcoffset() == moment.replace(fold=1).utcoffset(), f"{text} is not one moment"
    return moment.timestamp()


def elapsed(text: str) -> float:
    return float("nan") if text == "nan" else float(windows._seconds(text))


def stories() -> t.Iterator[t.Any]:
    for path in CASES:
        # As Ansible hands them on: dates and times as text.
        document = yaml.load(path.read_text(), yaml.BaseLoader)
        for case in document["cases"]:
            yield pytest.param(document, case, id=f"{path.stem}: {case['story']}")


@pytest.mark.parametrize(("document", "case"), list(stories()))
def test_open_or_not(document: dict[str, t.Any], case: dict[str, str]) -> None:
    zone = document["timezone"]
    found = built(zone, **document["windows"])
    decision = windows.is_open(
        found, at(case["now"], zone), elapsed(case.get("needed", "1m")), case.get("what", "patch")
    )
    assert decision.open == (case["open"] == "true"), decision
    assert case.get("reason", "") in decision.reason
    assert decision.reason
    assert decision.name == case.get("name", "")
    if "closes" in case:
        assert decision.closes_at == at(case["closes"], zone)


def first_moment(day: datetime.date, minute: int, zone: ZoneInfo) -> float:
    """When a wall clock shows a time of a day first, found by looking at it every minute; or the time it would be by
    the clock before the gap, where it is skipped."""
    wall = datetime.datetime.combine(day, datetime.time(minute // 60, minute % 60))
    around = wall.replace(tzinfo=datetime.UTC).timestamp()
    for step in range(-15 * 60, 15 * 60):
        moment = around + step * 60
        if datetime.datetime.fromtimestamp(moment, zone).replace(tzinfo=None) == wall:
            return moment
    before = datetime.datetime.fromtimestamp(around - 36 * 3600, zone).utcoffset()
    assert before is not None
    return around - before.total_seconds()


@given(st.sampled_from(ZONES), NEAR_CHANGES, MINUTES, st.integers(1, 30 * 60))
def test_a_window_is_open_for_exactly_its_duration(zone: str, day: datetime.date, minute: int, length: int) -> None:
    start = f"{minute // 60:02d}:{minute % 60:02d}"
    found = built(zone, only=terms(rule={"once": day.isoformat()}, start=start, duration=f"{length}m"))
    begin = first_moment(day, minute, ZoneInfo(zone))
    end = begin + length * 60

    def is_open(now: float) -> bool:
        return windows.is_open(found, now, 0, "patch").open

    assert [is_open(begin - 1), is_open(begin), is_open(end - 1), is_open(end)] == [False, True, True, False]
    assert windows.is_open(found, begin, length * 60, "patch").closes_at == end


@given(
    st.sampled_from(ZONES),
    NEAR_CHANGES,
    MINUTES,
    st.integers(1, 30 * 60),
    st.integers(0, 2000),
    st.floats(0, 200_000),
    st.floats(-200_000, 200_000),
)
def test_what_is_open_for_long_work_is_open_for_short_work(
    zone: str, day: datetime.date, minute: int, length: int, cutoff: int, needed: float, offset: float
) -> None:
    start = f"{minute // 60:02d}:{minute % 60:02d}"
    days = list(windows.DAYS)
    entry = terms(rule={"weekly": days}, start=start, duration=f"{length}m", cutoff=f"{min(cutoff, length - 1)}m")
    found = built(zone, daily=entry)
    now = datetime.datetime.combine(day, datetime.time(), ZoneInfo(zone)).timestamp() + offset
    decision = windows.is_open(found, now, needed, "patch")
    if decision.open:
        assert decision.closes_at is not None
        assert now + needed <= decision.closes_at
        assert windows.is_open(found, now, needed / 2, "patch").open
    assert not windows.is_open([], now, needed, "patch").open
    assert not windows.is_open(found, now, float("nan"), "patch").open
    assert not windows.is_open(found, now, needed, "reboot").open


@given(st.sampled_from(ZONES), NEAR_CHANGES, MINUTES)
def test_the_next_opening_that_is_told_is_one(zone: str, day: datetime.date, minute: int) -> None:
    start = f"{minute // 60:02d}:{minute % 60:02d}"
    [window] = built(zone, weekly=terms(start=start))
    now = datetime.datetime.combine(day, datetime.time(12), ZoneInfo(zone)).timestamp()
    begin = window.next_begin(now)
    assert begin is not None
    assert 0 < begin - now <= 8 * 86400
    assert windows.is_open([window], begin, 60, "patch").open


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (["sun"], "keepwell_windows must be a mapping of named windows, not list."),
        ({"w": "sun 22:00"}, "keepwell_windows.w: Input should be a valid dictionary or instance of Terms."),
        ({"w": terms(start=1320)}, 'keepwell_windows.w.start: should be a time of day in quotes, like "22:00".'),
        ({"w": terms(start="24:00")}, 'keepwell_windows.w.start: should be a time of day in quotes, like "22:00".'),
        ({"w": terms(duration="4 hours")}, "keepwell_windows.w.duration: should be an elapsed time like 4h, 45m or 1h30m."),
        ({"w": terms(duration="")}, "keepwell_windows.w.duration: should be an elapsed time like 4h, 45m or 1h30m."),
        ({"w": terms(duration="0m")}, "keepwell_windows.w.duration: Input should be greater than 0."),
        ({"w": terms(cutoff="4h")}, "keepwell_windows.w: cutoff leaves no time: it should be shorter than duration."),
        (
            {"w": terms(rule={"weekly": ["sunday"]})},
            "keepwell_windows.w.rule.weekly.0: Input should be 'mon', 'tue', 'wed', 'thu', 'fri', 'sat' or 'sun'.",
        ),
        (
            {"w": terms(rule={"weakly": ["sun"]})},
            "keepwell_windows.w.rule: should be a mapping with one of: weekly, once. Did you mean 'weekly'? "
            "Allowed: once, weekly.",
        ),
        (
            {"w": terms(rule={"weekly": ["sun"], "once": "2026-12-05"})},
            "keepwell_windows.w.rule: should be a mapping with one of: weekly, once.",
        ),
        ({"w": terms(allow=[])}, "keepwell_windows.w.allow: Value should have at least 1 item after validation, not 0."),
        ({"w": terms(allow="reboots")}, "keepwell_windows.w.allow.0: Input should be 'patch', 'reboot' or 'disk_cleanup'."),
        ({"w": terms(durration="1h")}, "keepwell_windows.w.durration: Extra inputs are not permitted. Did you mean 'duration'?"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(value: t.Any, problem: str) -> None:
    found, problems = windows.build(value, "UTC")
    assert problems == [problem]
    assert found == []


def test_windows_need_a_time_zone_that_is_known() -> None:
    assert windows.build({"w": terms()}, "Europe/Amsterdm") == (
        [],
        ["keepwell_client.timezone: 'Europe/Amsterdm' is unknown here, and keepwell_windows needs it."],
    )
    assert windows.build(None, "Europe/Amsterdm") == ([], [])
