"""Properties of what systemd prints, and how big the answer of a busy host may become."""

from __future__ import annotations

import datetime
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _systemd, services


@given(st.datetimes(datetime.datetime(1971, 1, 1), datetime.datetime(2100, 1, 1)))  # noqa: DTZ001 - made UTC below
def test_times_survive(moment: datetime.datetime) -> None:
    moment = moment.replace(microsecond=0, tzinfo=datetime.UTC)
    assert _systemd.parse_timestamp(moment.strftime("%a %Y-%m-%d %H:%M:%S UTC")) == moment.timestamp()


@pytest.mark.parametrize("text", ["Mon 2026-11-23 02:31:08 CET", "yesterday", "2026-13-01 00:00:00 UTC"])
def test_times_of_another_zone_or_form_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"systemd time|does not match"):
        _systemd.parse_timestamp(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1h 40min 45.716355s", 6045.716355), ("+98us", 98e-6), ("-1.5ms", -0.0015), ("0", None), ("infinity", None)],
)
def test_spans(text: str, seconds: float | None) -> None:
    assert _systemd.parse_span(text) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize("text", ["5 parsecs", "h", "1h2"])
def test_damaged_spans_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="time span"):
        _systemd.parse_span(text)


@pytest.mark.parametrize(("text", "count"), [("7", 7), ("[not set]", None), ("18446744073709551615", None), ("", None)])
def test_counts(text: str, count: int | None) -> None:
    assert _systemd.parse_count(text) == count


def test_damaged_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="not a number"):
        _systemd.parse_count("many")


@pytest.mark.parametrize("text", ["[1, 2]", "{", '{"MESSAGE": "x"}'])
def test_a_damaged_journal_line_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="journal"):
        services.parse_restarts(text)


def test_four_hundred_units_stay_small() -> None:
    blocks = [
        {
            "Id": f"a-rather-long-name-of-a-service-{number}.service",
            "Type": "simple",
            "LoadState": "loaded",
            "ActiveState": "active",
            "SubState": "running",
            "Result": "success",
            "NRestarts": "3",
            "ExecMainStatus": "0",
            "StateChangeTimestamp": "Mon 2026-11-23 02:31:08 UTC",
            "UnitFileState": "enabled",
            "InvocationID": "d18aaaabb70e4047a86294f8f400444b",
            "MemoryCurrent": "123456789",
            "TasksCurrent": "12",
            "ConditionResult": "yes",
            "ConditionTimestamp": "Mon 2026-11-23 02:31:08 UTC",
        }
        for number in range(400)
    ]
    units, left_out = services.choose_units(blocks, ["watched.service"], set())
    assert len(units) == services.UNIT_CAP + 1
    assert left_out == 400 - services.UNIT_CAP
    assert len(json.dumps(units)) < 60 * 1024
