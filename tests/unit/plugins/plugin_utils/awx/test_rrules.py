# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said of a recurrence rule before AWX is asked agrees with what AWX 24.6.1 answered, rule by rule."""

from __future__ import annotations

import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.plugin_utils.awx import rrules
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.model import Entry
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.times import expected

NOW = datetime.datetime(2026, 11, 27, 12, tzinfo=datetime.UTC)
BERLIN = ZoneInfo("Europe/Berlin")
VERDICTS = [
    (case["rule"], case["taken"], case["says"])
    for case in yaml.safe_load((Path(__file__).parents[3] / "cases" / "awx" / "rrules.yml").read_text())
]


@pytest.mark.parametrize(("rule", "taken", "words"), VERDICTS)
def test_the_verdict_is_that_of_awx_or_stricter(rule: str, taken: bool, words: str) -> None:
    assert (rrules.refused(rule) == []) is taken
    said = rrules.lint(rule, NOW)
    assert any(words in sentence for sentence in said) if words else said == []


def test_the_table_is_whole() -> None:
    assert (len(VERDICTS), sum(not taken for _rule, taken, _words in VERDICTS)) == (29, 15)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("RRULE:FREQ=DAILY;INTERVAL=1;BYHOUR=1;BYMINUTE=0,2", "every 120 seconds"),
        ("RRULE:FREQ=HOURLY;INTERVAL=1;BYHOUR=1,2", "use DAILY with BYHOUR"),
        ("RRULE:FREQ=DAILY;INTERVAL=1;UNTIL=20261126T000000Z", "never begins again"),
    ],
)
def test_what_awx_takes_and_nobody_means_is_told(rule: str, words: str) -> None:
    told = rrules.lint("DTSTART:20260101T000000Z " + rule, NOW)
    assert len(told) == 1
    assert words in told[0]


@pytest.mark.parametrize(
    ("entry", "rule"),
    [
        ({"at": "05:10"}, "DTSTART;TZID=Europe/Berlin:20260101T051000 RRULE:FREQ=DAILY;INTERVAL=1"),
        ({"at": "22:00", "days": ["thu", "tue"]}, "DTSTART;TZID=Europe/Berlin:20260101T220000 RRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=TU,TH"),
        ({"at": "06:00", "month_days": [15, 1]}, "DTSTART;TZID=Europe/Berlin:20260101T060000 RRULE:FREQ=MONTHLY;INTERVAL=1;BYMONTHDAY=1,15"),
        ({"every": "20m"}, f"DTSTART;TZID=UTC:20260101T000000 RRULE:FREQ=DAILY;INTERVAL=1;BYHOUR={','.join(map(str, range(24)))};BYMINUTE=0,20,40"),
        ({"every": "6h"}, "DTSTART;TZID=UTC:20260101T000000 RRULE:FREQ=DAILY;INTERVAL=1;BYHOUR=0,6,12,18;BYMINUTE=0"),
        ({"every": "24h"}, "DTSTART;TZID=UTC:20260101T000000 RRULE:FREQ=DAILY;INTERVAL=1;BYHOUR=0;BYMINUTE=0"),
    ],
)  # fmt: skip
def test_a_rule_is_made_of_days_weeks_and_months(entry: dict[str, object], rule: str) -> None:
    made = Entry.model_validate({"playbook": "assess", **entry})
    assert rrules.render("acme", "x", made, BERLIN, 2026) == rule


ENTRIES = st.one_of(
    st.fixed_dictionaries({"every": st.sampled_from(["5m", "6m", "10m", "12m", "15m", "20m", "30m", "1h", "3h", "8h", "24h"])}),
    st.fixed_dictionaries(
        {"at": st.times(min_value=datetime.time(3, 30)).map(lambda at: f"{at:%H:%M}")},
        optional={"days": st.lists(st.sampled_from(["mon", "wed", "sun"]), min_size=1, unique=True)},
    ),
    st.fixed_dictionaries(
        {"at": st.just("00:05"), "month_days": st.lists(st.integers(1, 28), min_size=1, max_size=4, unique=True)}
    ),
)  # fmt: skip


@given(
    entry=ENTRIES,
    splay=st.sampled_from(["0m", "3m", "4m"]),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
)
@settings(max_examples=60)
def test_a_rule_begins_when_the_schedule_says(entry: dict[str, object], splay: str, zone: str) -> None:
    """Over both changes of clocks; later than planned by the same part of the splay every time."""
    made = Entry.model_validate({"playbook": "assess", "splay": splay, **entry})
    since, until = (datetime.datetime(2026, month, 20, tzinfo=datetime.UTC) for month in (10, 11))
    rule = rrules.render("acme", "x", made, ZoneInfo(zone), 2026)
    assert rrules.lint(rule, NOW) == []
    begun = {moment.timestamp() for moment in rrulestr(rule.replace(" ", "\n")).between(since, until, inc=True)}
    planned = [entry.at for entry in expected({"x": made}, ZoneInfo(zone), since.timestamp(), until.timestamp())]
    [late] = {min((at - plan for at in begun if at >= plan), default=None) for plan in planned[:-1]} or {0.0}
    assert late is not None
    assert 0 <= late <= made.splay


def test_splay_differs_from_client_to_client_and_stays() -> None:
    made = Entry.model_validate({"playbook": "assess", "at": "05:10", "splay": "15m"})
    rules = [rrules.render(f"client{number}", "morning", made, BERLIN, 2026) for number in range(30)]
    assert len(set(rules)) > 10
    assert rules[0] == rrules.render("client0", "morning", made, BERLIN, 2026)


def test_splay_puts_no_start_on_another_day_or_into_an_hour_that_is_skipped() -> None:
    late = Entry.model_validate({"playbook": "assess", "at": "23:59", "days": ["mon"], "splay": "15m"})
    early = Entry.model_validate({"playbook": "assess", "at": "01:59", "splay": "15m"})
    for number in range(30):
        assert "T235900" in rrules.render(f"client{number}", "x", late, BERLIN, 2026)
        assert "T015900" in rrules.render(f"client{number}", "x", early, BERLIN, 2026)
