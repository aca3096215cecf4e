"""Maintenance windows: open when they should be, whatever the clocks do, and closed in every doubt."""

from __future__ import annotations

import datetime
import typing as t
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows import calendar, decision, times
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.rules import DAYS

CASES = sorted((Path(__file__).parents[3] / "cases" / "maintenance_windows").glob("*.yml"))
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


def built(zone: str, blackouts: t.Any = None, groups: t.Collection[str] = (), **entries: t.Any) -> calendar.Calendar:
    """The calendar that windows by name make."""
    found, problems = calendar.build({"keepwell_windows": entries, "keepwell_blackouts": blackouts}, zone, groups)
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
    return float("nan") if text == "nan" else float(times.seconds(text))


def stories() -> t.Iterator[t.Any]:
    for path in CASES:
        # As Ansible hands them on: dates and times as text.
        document = yaml.load(path.read_text(), yaml.BaseLoader)
        for case in document["cases"]:
            yield pytest.param(document, case, id=f"{path.stem}: {case['story']}")


@pytest.mark.parametrize(("document", "case"), list(stories()))
def test_open_or_not(document: dict[str, t.Any], case: dict[str, str]) -> None:
    zone = document["timezone"]
    variables = {name: document.get(name.removeprefix("keepwell_")) for name in calendar.VARIABLES}
    found, problems = calendar.build({**variables, **case.get("run", {})}, zone, case.get("groups", ()))
    assert problems == []
    answer = decision.is_open(
        found, at(case["now"], zone), elapsed(case.get("needed", "1m")), case.get("what", "patch")
    )
    assert answer.open == (case["open"] == "true"), answer
    assert case.get("reason", "") in answer.reason
    assert answer.reason
    assert answer.name == case.get("name", "")
    if "closes" in case:
        assert answer.closes_at == at(case["closes"], zone)


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
        return decision.is_open(found, now, 0, "patch").open

    assert [is_open(begin - 1), is_open(begin), is_open(end - 1), is_open(end)] == [False, True, True, False]
    assert decision.is_open(found, begin, length * 60, "patch").closes_at == end


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
    days = list(DAYS)
    entry = terms(rule={"weekly": days}, start=start, duration=f"{length}m", cutoff=f"{min(cutoff, length - 1)}m")
    found = built(zone, daily=entry)
    now = datetime.datetime.combine(day, datetime.time(), ZoneInfo(zone)).timestamp() + offset
    answer = decision.is_open(found, now, needed, "patch")
    if answer.open:
        assert answer.closes_at is not None
        assert now + needed <= answer.closes_at
        assert decision.is_open(found, now, needed / 2, "patch").open
    assert not decision.is_open(calendar.NOTHING, now, needed, "patch").open
    assert not decision.is_open(found, now, float("nan"), "patch").open
    assert not decision.is_open(found, now, needed, "reboot").open


@given(st.sampled_from(ZONES), NEAR_CHANGES, MINUTES)
def test_the_next_opening_that_is_told_is_one(zone: str, day: datetime.date, minute: int) -> None:
    start = f"{minute // 60:02d}:{minute % 60:02d}"
    found = built(zone, weekly=terms(start=start))
    now = datetime.datetime.combine(day, datetime.time(12), ZoneInfo(zone)).timestamp()
    begin = next(decision.openings(found, now, "patch")).span.begin
    assert 0 < begin - now <= 8 * 86400
    assert decision.is_open(found, begin, 60, "patch").open


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
            "keepwell_windows.w.rule: should be a mapping with one of: weekly, monthly, anchor, rrule, once. "
            "Did you mean 'weekly'?",
        ),
        (
            {"w": terms(rule={"weekly": ["sun"], "once": "2026-12-05"})},
            "keepwell_windows.w.rule: should be a mapping with one of: weekly, monthly, anchor, rrule, once.",
        ),
        ({"w": terms(allow=[])}, "keepwell_windows.w.allow: Value should have at least 1 item after validation, not 0."),
        ({"w": terms(allow="reboots")}, "keepwell_windows.w.allow.0: Input should be 'patch', 'reboot', 'antivirus', 'backup_verification', 'disk_cleanup' or 'config'."),
        ({"w": terms(durration="1h")}, "keepwell_windows.w.durration: Extra inputs are not permitted. Did you mean 'duration'?"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(value: t.Any, problem: str) -> None:
    found, problems = calendar.build({"keepwell_windows": value}, "UTC")
    assert problems == [problem]
    assert found == calendar.NOTHING


def test_windows_need_a_time_zone_that_is_known() -> None:
    assert calendar.build({"keepwell_windows": {"w": terms()}}, "Europe/Amsterdm") == (
        calendar.NOTHING,
        ["keepwell_client.timezone: 'Europe/Amsterdm' is unknown here, and keepwell_windows needs it."],
    )
    assert calendar.build({}, "Europe/Amsterdm") == (calendar.NOTHING, [])


RULES = st.one_of(
    st.lists(st.sampled_from(DAYS), min_size=1, max_size=3, unique=True).map(lambda days: {"weekly": days}),
    st.builds(lambda order, day: {"monthly": f"{order} {day}"}, st.sampled_from(["1st", "2nd", "3rd", "4th", "last"]), st.sampled_from(DAYS)),
    st.integers(-20, 40).map(lambda days: {"anchor": "patch_tuesday", "offset_days": days}),
    st.just({"rrule": "FREQ=WEEKLY;INTERVAL=2;BYDAY=SA", "from": "2025-01-04"}),
)  # fmt: skip


def holds(rule: dict[str, t.Any], day: datetime.date) -> bool:
    """The rule once more, told by counting days of the month one by one."""
    month = [day.replace(day=1) + datetime.timedelta(days=number) for number in range(31)]
    month = [entry for entry in month if entry.month == day.month]
    if "weekly" in rule:
        return DAYS[day.weekday()] in rule["weekly"]
    if "monthly" in rule:
        order, name = rule["monthly"].split()
        alike = [entry for entry in month if DAYS[entry.weekday()] == name]
        return day == (alike[-1] if order == "last" else alike[int(order[0]) - 1])
    if "anchor" in rule:
        around = [day + datetime.timedelta(days=number) for number in range(-80, 81)]
        tuesdays = [entry for entry in around if entry.weekday() == 1]
        second = [entry for entry in tuesdays if sum(one.month == entry.month and one < entry for one in tuesdays) == 1]
        # Those at the edge have not all of their month around them.
        whole = [entry for entry in second if abs((entry - day).days) < 48]
        return any(entry + datetime.timedelta(days=rule["offset_days"]) == day for entry in whole)
    return (day - datetime.date(2025, 1, 4)).days % 14 == 0 and day >= datetime.date(2025, 1, 4)


def slowly_open(
    rule: dict[str, t.Any],
    start: int,
    length: int,
    closed: tuple[datetime.date, datetime.date],
    zone: ZoneInfo,
    now: float,
) -> bool:
    """Whether a window is open, found by walking back minute by minute to a moment at which one began."""
    local = datetime.datetime.fromtimestamp(now, zone).date()
    if closed[0] <= local <= closed[1]:
        return False
    began: dict[datetime.date, float | None] = {}
    for back in range(length):
        moment = now - back * 60
        wall = datetime.datetime.fromtimestamp(moment, zone).replace(tzinfo=None)
        for day in (wall.date(), wall.date() - datetime.timedelta(days=1)):
            if day not in began:
                began[day] = first_moment(day, start, zone) if holds(rule, day) else None
            if began[day] == moment:
                return True
    return False


@settings(max_examples=200)
@given(
    st.sampled_from(ZONES),
    RULES,
    st.integers(0, 24 * 60 - 1),
    st.integers(1, 400),
    st.integers(0, 3 * 365 * 1440),
    st.integers(-30, 30),
)
def test_it_is_open_when_a_slow_look_at_every_minute_says_so(
    zone: str, rule: dict[str, t.Any], start: int, length: int, minute: int, off: int
) -> None:
    closed = (datetime.date(2026, 12, 14), datetime.date(2027, 1, 3))
    blackouts = [{"name": "Christmas", "from": closed[0].isoformat(), "to": closed[1].isoformat()}]
    entry = terms(rule=rule, start=f"{start // 60:02d}:{start % 60:02d}", duration=f"{length}m")
    found = built(zone, blackouts, only=entry)
    begin = datetime.datetime(2025, 6, 1, tzinfo=datetime.UTC).timestamp() + minute * 60
    coming = next(decision.openings(found, begin, "patch"), None)
    # Anywhere in three years, and around the next beginning and end, where it matters.
    moments = [begin]
    if coming is not None:
        moments += [coming.span.begin + off * 60, coming.span.end + off * 60]
    for now in moments:
        expected = slowly_open(rule, start, length, closed, ZoneInfo(zone), now)
        assert decision.is_open(found, now, 0, "patch").open == expected, (zone, rule, start, length, now)


def test_patch_tuesday_plus_some_days_is_no_weekday_of_the_month() -> None:
    found = built("Europe/Amsterdam", only=terms(rule={"anchor": "patch_tuesday", "offset_days": 12}))
    now = datetime.datetime(2026, 9, 1, tzinfo=datetime.UTC).timestamp()
    days = [
        datetime.datetime.fromtimestamp(opening.span.begin, datetime.UTC).date().isoformat()
        for opening, _number in zip(decision.openings(found, now, "patch"), range(4), strict=False)
    ]
    assert days == ["2026-09-20", "2026-10-25", "2026-11-22", "2026-12-20"]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"monthly": "5th sun"}, "'5th sun' should be like '1st sun', '3rd tue' or 'last fri'"),
        ({"rrule": "FREQ=HOURLY"}, "rrule needs FREQ, one of DAILY, WEEKLY, MONTHLY, YEARLY"),
        ({"rrule": "FREQ=DAILY;BYHOUR=3"}, "rrule must not have BYHOUR"),
        ({"rrule": "FREQ=WEEKLY;INTERVAL=2"}, "rrule with INTERVAL or COUNT needs from: a date to count from"),
        ({"rrule": "FREQ=WEEKLY;BYDAY=XX"}, "rrule cannot be read"),
        ({"rrule": "FREQ=WEEKLY;BYDAY=SA\nEXDATE:20260103T000000"}, "rrule should be one rule in one line"),
        ({"rrule": "FREQ=WEEKLY;BYDAY=SA\nDTSTART:19990101T000000"}, "rrule should be one rule in one line"),
        ({"rrule": "FREQ=WEEKLY;BYDAY=SA;BYDAY=SU"}, "rrule says the same part twice"),
        ({"rrule": "FREQ=WEEKLY;INTERVAL=0;BYDAY=SA", "from": "2026-01-03"}, "rrule has INTERVAL=0; it should be 1 to 9999"),
        ({"rrule": f"FREQ=DAILY;INTERVAL={10**20}", "from": "2026-01-01"}, "it should be 1 to 9999"),
        ({"rrule": "FREQ=DAILY;COUNT=0", "from": "2026-01-01"}, "rrule has COUNT=0"),
        ({"rrule": "FREQ=WEEKLY;BYDAY=SA", "from": "0001-01-01"}, "should be a day from 2000 to 2199"),
        ({"once": "9999-12-31"}, "should be a day from 2000 to 2199"),
        ({"anchor": "patch_monday"}, "Input should be 'patch_tuesday'"),
        ({"weekly": ["sun"], "offset_days": 3}, "should be a mapping with one of"),
    ],
)  # fmt: skip
def test_a_rule_that_says_nothing_is_refused(rule: dict[str, t.Any], words: str) -> None:
    _found, problems = calendar.build({"keepwell_windows": {"w": terms(rule=rule)}}, "UTC")
    assert len(problems) == 1
    assert words in problems[0]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"name": "x", "from": "2026-12-14"}, "keepwell_blackouts.x: it needs from and to, or rule with start and duration"),
        ({"name": "x", "rule": {"weekly": "sun"}}, "keepwell_blackouts.x: a recurring blackout needs rule, start and duration"),
        ({"from": "2026-12-14", "to": "2026-12-15"}, "keepwell_blackouts.1: it needs a name"),
        ({"name": "x", "from": "2026-12-14", "to": "2026-12-01"}, "keepwell_blackouts.x: to is before from"),
        ({"name": "x", "from": "2026-12-14", "to": "9999-12-31"}, "keepwell_blackouts.x.to: should be a day from 2000 to 2199"),
        ({"name": "x", "from": "0001-01-01", "to": "2026-12-31"}, "keepwell_blackouts.x.from: should be a day from 2000 to 2199"),
        ({"holidays": {"country": "XX"}}, "country XX is unknown"),
        ({"holidays": {"country": "DE", "subdiv": "XY"}}, "subdiv XY is unknown in DE: BB, BE"),
        ({"name": "x", "holidays": {"country": "NL"}, "start": "06:00"}, "holidays are whole days"),
        ({"name": "x", "from": "2026-12-14", "to": "2026-12-15", "scpoe": ["patch"]}, "Did you mean 'scope'?"),
        ({"name": "x", "from": "2026-12-14", "to": "2026-12-15", "targets": "wb"}, "the inventory has no group 'wb'. Did you mean 'web'?"),
    ],
)  # fmt: skip
def test_a_blackout_that_says_nothing_is_refused(entry: dict[str, t.Any], words: str) -> None:
    _found, problems = calendar.build({"keepwell_blackouts": [entry]}, "UTC", known_groups=["all", "web", "db"])
    assert len(problems) == 1
    assert words in problems[0]


def test_nobody_works_in_an_emergency_that_nobody_answers_for() -> None:
    declared = {"keepwell_emergency": {"allow": ["patch"]}}
    assert calendar.build({**declared, "keepwell_emergency_approver": "J. Smit"}, "UTC")[1] == [
        "keepwell_emergency_reason: an emergency needs both: who answers for it, and why it cannot wait."
    ]
    # What nothing would come of is not taken.
    [told] = calendar.build({"keepwell_emergency": {"allow": "patch", "tell_client": "before"}}, "UTC")[1]
    assert "keepwell_emergency.tell_client" in told
    named = {"keepwell_emergency_approver": "J. Smit", "keepwell_emergency_reason": "CVE-2026-1"}
    assert "allows nothing outside of windows" in calendar.build(named, "UTC")[1][0]


def test_a_rule_and_a_blackout_may_reach_to_the_edges_of_what_is_allowed() -> None:
    now = datetime.datetime(2026, 11, 27, tzinfo=datetime.UTC).timestamp()
    closed = [{"name": "ever", "from": "2000-01-01", "to": "2199-12-31"}]
    for zone in ZONES:
        found = built(zone, closed, only=terms(rule={"weekly": "sun"}))
        assert not decision.is_open(found, now, 60.0, "patch").open
        assert next(decision.openings(found, now, "patch"), None) is None


def test_a_rule_that_never_holds_is_read_like_any_other() -> None:
    never = built("UTC", only=terms(rule={"rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}))
    assert (
        next(decision.openings(never, datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC).timestamp(), "patch"), None)
        is None
    )


def test_a_run_for_one_window_works_in_no_other() -> None:
    sunday = at("2026-11-29T22:30:00+01:00", "UTC")
    variables = {"keepwell_windows": {"night": terms(), "lunch": terms(start="12:00")}}
    allowed = {}
    for only in (None, "any", "night", "lunch"):
        found, problems = calendar.build({**variables, "keepwell_window": only}, "Europe/Amsterdam")
        assert (problems, found.declared) == ([], ("night", "lunch"))
        allowed[only] = decision.is_open(found, sunday, 60.0, "patch").open
    assert allowed == {None: True, "any": True, "night": True, "lunch": False}


def test_a_host_without_the_window_of_the_run_is_told_so() -> None:
    found, _problems = calendar.build({"keepwell_windows": {"lunch": terms()}, "keepwell_window": "night"}, "UTC")
    refusal = decision.is_open(found, 0.0, 60.0, "patch")
    assert not refusal.open
    assert (
        refusal.reason
        == "No maintenance window 'night' (keepwell_window) is for this host and allows it: patch has to wait."
    )
