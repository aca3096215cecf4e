"""What is told of coming windows, and the calendar file that people subscribe to."""

from __future__ import annotations

import dataclasses
import datetime
import re
import typing as t

import icalendar
import pytest

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows import calendar, ics, preview, used

NOW = datetime.datetime(2026, 11, 27, 12, tzinfo=datetime.UTC).timestamp()
SUNDAY = {"rule": {"weekly": "sun"}, "start": "22:00", "duration": "4h", "allow": "patch,reboot"}


def calendars(**more: t.Any) -> dict[str, calendar.Calendar]:
    """Two hosts of which only web2 is in the group web."""
    variables = {"keepwell_windows": {"sunday": SUNDAY}, **more}
    made = {}
    for host, groups in (("web1", ["all"]), ("web2", ["all", "web"])):
        made[host], problems = calendar.build(variables, "Europe/Amsterdam", groups)
        assert problems == []
    return made


def test_what_is_the_same_for_several_hosts_is_told_once() -> None:
    found = preview.coming(calendars(), NOW, 2)
    assert [entry.sentence() for entry in found] == [
        "Sun 2026-11-29 22:00 Europe/Amsterdam (2026-11-29T21:00:00Z), 4 hours: 'sunday' for patch, reboot on 2 hosts",
        "Sun 2026-12-06 22:00 Europe/Amsterdam (2026-12-06T21:00:00Z), 4 hours: 'sunday' for patch, reboot on 2 hosts",
    ]


@pytest.mark.parametrize(
    ("given", "told"),
    [("4h", "4 hours"), ("1h30m", "1 hour 30 minutes"), ("45m", "45 minutes"), ("25h", "1 day 1 hour")],
)
def test_a_window_is_as_long_as_it_says(given: str, told: str) -> None:
    [entry] = preview.coming(calendars(keepwell_windows={"sunday": {**SUNDAY, "duration": given}}), NOW, 1)
    assert f", {told}: 'sunday'" in entry.sentence()


def test_what_a_blackout_closes_is_left_out_for_whom_it_is() -> None:
    blackouts = [{"name": "Stocktaking", "from": "2026-11-29", "to": "2026-11-29", "targets": "web", "scope": "reboot"}]
    found = preview.coming(calendars(keepwell_blackouts=blackouts), NOW, 4)
    assert [(entry.hosts, entry.allow, entry.cut_by) for entry in found[:3]] == [
        (("web1",), ("patch", "reboot"), ""),
        (("web2",), ("patch",), ""),
        (("web2",), ("reboot",), ""),
    ]
    # After midnight reboots are allowed for what is left of the window.
    assert (found[2].begin - found[0].begin, found[2].end) == (2 * 3600, found[0].end)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"keepwell_windows": {}, "keepwell_emergency": {"allow": "patch"}}, "No maintenance window: nothing that disturbs can ever be done. [web1, web2]"),
        ({"keepwell_windows": {"w": {**SUNDAY, "rule": {"once": "2026-11-01"}}}}, "No window for patch opens again. [web1, web2]"),
        ({"keepwell_windows": {"w": {**SUNDAY, "rule": {"once": "2027-03-01"}}}}, "No window for patch opens within 35 days. [web1, web2]"),
        ({"keepwell_windows": {"w": {**SUNDAY, "start": "02:30"}}}, "'w' starts between 02:00 and 03:00"),
        ({"keepwell_blackouts": [{"name": "Long", "from": "2027-01-01", "to": "2027-02-15", "targets": "web"}]}, "Blackout 'Long' lasts more than 45 days. [web2]"),
        ({"keepwell_windows": {"sunday": SUNDAY, "late": {**SUNDAY, "start": "23:30"}}}, "'sunday' and 'late' overlap"),
    ],
)  # fmt: skip
def test_what_looks_wrong_is_told_with_its_hosts(more: dict[str, t.Any], words: str) -> None:
    assert any(sentence.startswith(words) or words == sentence for sentence in preview.warnings(calendars(**more), NOW))


def test_days_between_which_holidays_count_are_no_long_blackout() -> None:
    holidays = [{"holidays": {"country": "NL"}, "from": "2026-01-01", "to": "2027-12-31"}]
    assert preview.warnings(calendars(keepwell_blackouts=holidays), NOW) == []


def test_a_window_that_was_nearly_too_short_is_told() -> None:
    assert preview.warnings(calendars(), NOW) == []
    [sentence] = preview.warnings(calendars(), NOW, {"sunday": 0.85})
    assert sentence == "'sunday' is nearly too short: the last run took 85% of it. [web1, web2]"


def change(host: str, entered: str, ended: str | None, **more: t.Any) -> ChangeRecord:
    about = {"chore": "patching", "window": "sunday", "outcome": "done", "client": "acme", "run_id": "r", **more}
    return ChangeRecord(host=host, started_at=entered, entered_at=entered, ended_at=ended, **about)


def test_how_much_of_a_window_its_last_use_took_is_reckoned_over_all_hosts() -> None:
    # The window of 22 November is open from 21:00 to 01:00 UTC; the one before it was longer in use.
    done = [
        change("web1", "2026-11-15T21:00:00Z", "2026-11-16T00:59:00Z"),
        change("web1", "2026-11-22T21:05:00Z", "2026-11-22T21:40:00Z"),
        change("web2", "2026-11-22T21:40:00Z", "2026-11-23T00:30:00Z", chore="antivirus"),
    ]
    assert used.used(calendars(), done) == {"sunday": pytest.approx(205 / 240)}
    [sentence] = preview.warnings(calendars(), NOW, used.used(calendars(), done))
    assert sentence == "'sunday' is nearly too short: the last run took 85% of it. [web1, web2]"
    assert preview.warnings(calendars(), NOW, used.used(calendars(), done[:2])) == []


def test_what_says_nothing_of_a_window_is_left_out() -> None:
    times = ("2026-11-22T21:00:00Z", "2026-11-23T00:59:00Z")
    for record in (
        change("gone", *times),
        change("web1", *times, window="emergency"),
        change("web1", *times, begun_by="01K"),
        change("web1", times[0], None),
        change("web1", "2026-11-24T10:00:00Z", "2026-11-24T12:00:00Z"),
    ):
        assert used.used(calendars(), [record]) == {}


def events(content: bytes) -> dict[str, t.Any]:
    return {str(event["uid"]): event for event in icalendar.Calendar.from_ical(content).walk("VEVENT")}


def test_an_event_keeps_its_name_and_counts_its_changes() -> None:
    first = ics.render("acme", "Acme Ltd", preview.coming(calendars(), NOW, 3), NOW, None)
    assert ics.render("acme", "Acme Ltd", preview.coming(calendars(), NOW, 3), NOW + 60, first) == first
    longer = calendars(keepwell_windows={"sunday": {**SUNDAY, "duration": "5h"}})
    second = ics.render("acme", "Acme Ltd", preview.coming(longer, NOW, 3), NOW + 60, first)
    before, after = events(first), events(second)
    assert list(before) == list(after)
    assert {int(event["sequence"]) for event in before.values()} == {0}
    assert {int(event["sequence"]) for event in after.values()} == {1}
    event = next(iter(before.values()))
    assert event["dtstart"].dt == datetime.datetime(2026, 11, 29, 21, tzinfo=datetime.UTC)
    assert (event["dtend"].dt - event["dtstart"].dt) == datetime.timedelta(hours=4)
    assert "web1, web2" in event["description"]


def test_names_that_want_to_be_more_than_names_stay_names() -> None:
    text = "\r\nEND:VEVENT\r\nATTACH:http://evil.example\r\n<b>;, =cmd {{ 7 * 7 }} \u202e\x00\u2028\ud800🖨️"
    [window] = preview.coming(calendars(), NOW, 1)
    hostile = dataclasses.replace(window, name=text, hosts=(text,), cut_by=text)
    content = ics.render("acme", text, [hostile], NOW, None)
    [event] = events(content).values()
    assert set(event) == set(next(iter(events(ics.render("acme", "Acme", [window], NOW, None)).values())))
    assert not re.search(r"[\x00-\x09\x0b\x0c\x0e-\x1f\u202e\u2028]", content.decode())
    assert all(len(line) <= 75 for line in content.split(b"\r\n"))
    assert "␍␊END:VEVENT␍␊ATTACH:http://evil.example␍␊<b>;, =cmd {{ 7 * 7 }} ⟨U+202E⟩␀⟨U+2028⟩?🖨️" in event["summary"]


@pytest.mark.parametrize(
    "former", [b"", b"no calendar", b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"]
)
def test_a_former_file_that_cannot_be_read_is_replaced(former: bytes) -> None:
    assert len(events(ics.render("acme", "Acme", preview.coming(calendars(), NOW, 3), NOW, former))) == 3


def test_holidays_that_close_something_soon_are_told_by_day() -> None:
    made = calendars(keepwell_blackouts=[{"holidays": {"country": "NL"}, "scope": "reboot"}])
    found = preview.holidays_frozen(made.values(), NOW)
    assert found == {
        "2026-12-25": "Christmas Day",
        "2026-12-26": "Second Day of Christmas",
        "2027-01-01": "New Year's Day",
    }
