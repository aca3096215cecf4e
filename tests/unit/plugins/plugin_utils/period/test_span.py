"""Which days a report of a period is about."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import epoch, iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.period.span import Asked, days
from ansible_collections.keepwell.fleet.plugins.plugin_utils.settings import SettingsError

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
NOW = epoch("2026-11-23T03:12:40Z")


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        (Asked(), "2026-10-01", "2026-10-31"),
        (Asked(month="2026-02"), "2026-02-01", "2026-02-28"),
        (Asked(month="2026-11"), "2026-11-01", "2026-11-30"),
        (Asked(first="2026-07-01", last="2026-09-30"), "2026-07-01", "2026-09-30"),
        (Asked(first="2026-11-01"), "2026-11-01", "2026-11-23"),
        (Asked(as_of="2026-10-15"), "2026-10-01", "2026-10-15"),
        (Asked(month="2026-10", as_of="2026-10-15"), "2026-10-01", "2026-10-15"),
        (Asked(first="2026-09-20", last="2026-10-31", as_of="2026-10-15"), "2026-09-20", "2026-10-15"),
    ],
)
def test_the_days_that_were_asked_for(asked: Asked, first: str, last: str) -> None:
    found = days(asked, AMSTERDAM, NOW)
    assert (found.first.isoformat(), found.last.isoformat()) == (first, last)


def test_days_are_those_of_the_clients_clock_over_a_change_of_it() -> None:
    found = days(Asked(month="2026-10"), AMSTERDAM, NOW)
    assert (iso(found.begin), iso(found.end)) == ("2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z")


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (Asked(month="2026-13"), "keepwell_month must be a month like 2026-10"),
        (Asked(month="2026-10", first="2026-10-01"), "say two periods"),
        (Asked(last="2026-10-01"), "keepwell_to needs keepwell_from"),
        (Asked(first="yesterday"), "keepwell_from must be a day like 2026-10-31"),
        (Asked(first="2026-10-02", last="2026-10-01"), "The period ends on 2026-10-01 and begins on 2026-10-02"),
        (Asked(month="2026-12"), "is still to come"),
        (Asked(month="0000-10"), "keepwell_month must be a month like 2026-10"),
        (Asked(month="9999-12"), "keepwell_month: '9999-12' is beyond any calendar"),
        (Asked(first="2026-01-01", last="9999-12-31"), "keepwell_to: 9999-12-31 is beyond any calendar"),
        (Asked(month="2026-10", as_of="2026-09-30"), "is still to come"),
    ],
)
def test_mistakes_are_told_by_name(asked: Asked, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        days(asked, AMSTERDAM, NOW)
