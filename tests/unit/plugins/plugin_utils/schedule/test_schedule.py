"""A client's schedule: every mistake has its sentence, and the expected times are those of the clock on the wall."""

from __future__ import annotations

import datetime
import typing as t
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.registry import CHORES
from ansible_collections.keepwell.fleet.plugins.plugin_utils.plan import SERVICES
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule import model, times

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
WHOLE = """
watch:    {playbook: watch, every: 5m}
morning:  {playbook: assess, at: "05:10"}
nightly:  {playbook: maintain, at: "22:00", days: [tue, thu], act: [patching, disk_cleanup], splay: 10m}
proofs:   {playbook: backup_verify, at: "21:00", days: sat, act: backup_verification, limit: "servers:!db1"}
month:    {playbook: report, at: "06:00", month_days: [1]}
"""
BROKEN = [
    ("Nightly: {playbook: assess, every: 1h}", "Nightly: a name is made of small letters, digits and hyphens"),
    ("x: {playbook: asess, every: 1h}", "x.playbook: 'asess' is unknown. Did you mean 'assess'?"),
    ("x: {every: 1h}", "x.playbook: it has to be said."),
    ("x: hourly", "x must be a mapping with playbook and at or every, not str."),
    ("x: {playbook: assess}", "x: it needs either every (like 15m) or at"),
    ('x: {playbook: assess, every: 1h, at: "05:10"}', "x: it needs either every (like 15m) or at"),
    ("x: {playbook: assess, every: 7m}", "x.every: should be one of 5m, 6m, 10m"),
    ("x: {playbook: assess, every: 1m}", "x.every: should be one of 5m, 6m, 10m"),
    ("x: {playbook: assess, every: 25h}", "x.every: should be one of 5m, 6m, 10m"),
    ("x: {playbook: assess, every: 300}", "x.every: should be one of 5m, 6m, 10m"),
    ("x: {playbook: assess, at: 22:00}", "x.at: should be a time of day in quotes"),
    ('x: {playbook: assess, at: "24:00"}', "x.at: should be a time of day in quotes"),
    ('x: {playbook: assess, at: "02:30"}', "x.at: clocks in Europe/Amsterdam change at 02:30"),
    ('x: {playbook: assess, at: "22:00", days: [tues]}', "x.days.0: 'tues' is unknown. Did you mean 'tue'?"),
    ('x: {playbook: assess, at: "22:00", days: []}', "x.days: "),
    ('x: {playbook: assess, at: "22:00", month_days: [31]}', "x.month_days: should be a list of days that every month"),
    ('x: {playbook: assess, at: "22:00", days: [tue], month_days: [1]}', "x: it has days or month_days, not both."),
    ("x: {playbook: assess, every: 1h, days: [tue]}", "x: days and month_days belong to at"),
    ('x: {playbook: assess, at: "22:00", dys: [tue]}', "x.dys: unknown key. Did you mean 'days'?"),
    ('x: {playbook: patch, at: "22:00", act: [patchin]}', "does not carry out 'patchin'. Did you mean 'patching'?"),
    ('x: {playbook: assess, at: "22:00", act: patching}', "assess does not carry out 'patching'. Allowed: none."),
    ('x: {playbook: assess, at: "22:00", splay: 16m}', "x.splay: should be at most 15m"),
    ("x: {playbook: assess, every: 5m, splay: 5m}", "x: splay should be shorter than every."),
    ('x: {playbook: assess, at: "22:00", splay: 10m, grace: 10m}', "x: grace should be longer than splay"),
    ('x: {playbook: assess, at: "22:00", limit: "@hosts"}', "x.limit: '@hosts' should be names of hosts and groups"),
    ('x: {playbook: assess, at: "22:00", limit: "a b"}', "x.limit: 'a b' should be names of hosts and groups"),
    ('x: {playbook: assess, at: "22:00", limit: "-i"}', "x.limit: '-i' should be names of hosts and groups"),
    ('x: {playbook: assess, at: "22:00", limit: "%h"}', "x.limit: '%h' should be names of hosts and groups"),
    ('x: {playbook: assess, at: "22:00", limit_s: 30}', "x.limit_s: Input should be greater than or equal to 60"),
    ('x: {playbook: assess, at: "22:00", enabled: maybe}', "x.enabled: Input should be a valid boolean"),
]


def built(text: str, zone: ZoneInfo = AMSTERDAM) -> dict[str, model.Entry]:
    found, problems = model.build(yaml.safe_load(text), zone, 2026)
    assert problems == []
    return found


def test_a_whole_schedule_is_read_with_its_defaults() -> None:
    found = built(WHOLE)
    assert list(found) == ["watch", "morning", "nightly", "proofs", "month"]
    assert (found["watch"].grace_s, found["watch"].timeout_s) == (600, 300)
    assert (found["nightly"].grace_s, found["nightly"].timeout_s) == (7200, 7200)
    assert [name for name, entry in found.items() if entry.disruptive] == ["nightly", "proofs"]
    assert found["proofs"].act == ("backup_verification",)


@pytest.mark.parametrize(("text", "words"), BROKEN)
def test_a_mistake_is_one_sentence(text: str, words: str) -> None:
    _found, problems = model.build(yaml.safe_load(text), AMSTERDAM, 2026)
    assert len(problems) == 1, problems
    assert problems[0].startswith("keepwell_schedule.")
    assert words in problems[0]
    assert problems[0].endswith((".", "?"))
    assert not problems[0].endswith("..")


def test_all_mistakes_are_told_at_once() -> None:
    _found, problems = model.build({"a": {"playbook": "assess"}, "b": 1}, AMSTERDAM, 2026)
    assert len(problems) == 2
    assert model.build([], AMSTERDAM, 2026)[1] == ["keepwell_schedule must be a mapping of named entries, not list."]


def test_the_chores_are_those_there_are() -> None:
    assert set(model.ACTING) == set(CHORES)
    assert set(model.ACTING) <= set(SERVICES)


def test_what_no_plan_has_and_what_no_host_is_are_mistakes() -> None:
    found = built(WHOLE)
    assert model.bought(found, {"patching", "disk_cleanup"}) == [
        "keepwell_schedule.proofs.act: no plan of this client has backup_verification. Leave it out, or add it to "
        "keepwell_plan."
    ]
    [problem] = model.lost(found, ["servers", "db2"])
    assert problem.startswith("keepwell_schedule.proofs.limit: 'db1' is no host or group of the inventory.")
    assert "'db2'" in problem
    assert model.lost(built('x: {playbook: assess, every: 1h, limit: "db*:&all"}'), ["all", "db2"]) == []


@pytest.mark.parametrize(
    ("zone", "skipped", "plain"),
    [
        ("Europe/Amsterdam", "02:00", "03:00"),
        ("Europe/London", "01:30", "02:30"),
        ("America/Santiago", "00:30", "02:30"),
        ("Australia/Lord_Howe", "02:15", "02:45"),
        ("UTC", None, "02:30"),
        ("America/Sao_Paulo", None, "00:30"),  # no clock change any more
    ],
)
def test_a_time_at_which_clocks_change_is_a_mistake(zone: str, skipped: str | None, plain: str) -> None:
    for time, wrong in ((skipped, 1), (plain, 0)):
        if time:
            given = {"x": {"playbook": "assess", "at": time}}
            assert len(model.build(given, ZoneInfo(zone), 2026)[1]) == wrong, time


# --- expected times, against a reference that walks minute by minute


def walked(entry: model.Entry, zone: ZoneInfo, since: float, until: float) -> list[float]:
    """The minutes at which an entry should begin, found by looking at the clock on the wall every minute.

    Begins two days early, to know what the clock showed before.
    """
    found: list[float] = []
    shown: set[datetime.datetime] = set()
    jumps: list[tuple[float, datetime.timedelta]] = []
    previous: datetime.datetime | None = None
    for minute in range(int(since) - 2 * 86400, int(until), 60):
        utc = datetime.datetime.fromtimestamp(minute, datetime.UTC)
        wall = utc.astimezone(zone).replace(tzinfo=None, fold=0)
        if previous is not None and wall - previous > datetime.timedelta(minutes=1):
            jumps.append((minute, wall - previous - datetime.timedelta(minutes=1)))
        # What the clock jumped over comes that much later.
        meant = [wall - gap for begun, gap in jumps if begun <= minute < begun + gap.total_seconds()]
        if entry.every is not None:
            due = (utc.hour * 60 + utc.minute) % (entry.every // 60) == 0
        else:
            due = wall not in shown and any(
                time.time() == entry.at and on(entry, time.date()) for time in (wall, *meant)
            )
        if due and minute >= since:
            found.append(minute)
        shown.add(wall)
        previous = wall
    return found


def on(entry: model.Entry, day: datetime.date) -> bool:
    if entry.days:
        return ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[day.weekday()] in entry.days
    return not entry.month_days or day.day in entry.month_days


CHANGES = [
    datetime.date(*day)
    for day in ((2026, 3, 8), (2026, 3, 29), (2026, 4, 5), (2026, 9, 6), (2026, 10, 4), (2026, 10, 25), (2026, 11, 1))
]
STARTS = st.builds(
    lambda day, off, minutes: (
        datetime.datetime.combine(day, datetime.time(), datetime.UTC).timestamp() + off * 86400 + minutes * 60
    ),
    st.sampled_from(CHANGES),
    st.integers(-2, 1),
    st.integers(0, 1439),
)
ENTRIES = st.one_of(
    st.builds(lambda every: {"every": every}, st.sampled_from(["5m", "12m", "30m", "1h", "3h", "24h"])),
    st.builds(
        lambda hour, minute, days: {"at": f"{hour:02}:{minute:02}", **days},
        st.one_of(st.integers(0, 3), st.integers(0, 23)),
        st.integers(0, 59),
        st.sampled_from([{}, {"days": ["sun"]}, {"days": ["sat", "mon"]}, {"month_days": [1, 8, 25]}]),
    ),
)
ZONES = st.sampled_from(
    ["UTC", "Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Kathmandu"]
)


@settings(max_examples=120)
@given(chosen=ENTRIES, name=ZONES, since=STARTS, minutes=st.integers(0, 3 * 1440))
def test_expected_times_are_those_of_a_clock_looked_at_every_minute(
    chosen: dict[str, t.Any], name: str, since: float, minutes: int
) -> None:
    entry = model.Entry.model_validate({"playbook": "assess", **chosen})
    zone, until = ZoneInfo(name), since + minutes * 60
    found = times.expected({"x": entry}, zone, since, until)
    assert [planned.at for planned in found] == walked(entry, zone, since, until)


def test_a_span_ends_before_its_end_and_entries_come_in_order() -> None:
    found = built(WHOLE)
    noon = datetime.datetime(2026, 11, 24, 21, tzinfo=datetime.UTC).timestamp()  # Tuesday 22:00 there
    names = [planned.entry for planned in times.expected(found, AMSTERDAM, noon, noon + 300)]
    assert names == ["nightly", "watch"]
    assert times.expected(found, AMSTERDAM, noon, noon) == []
    off = {"nightly": found["nightly"].model_copy(update={"enabled": False})}
    assert times.expected(off, AMSTERDAM, noon, noon + 300) == []
