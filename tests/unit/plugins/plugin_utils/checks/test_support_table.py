"""The table of ends of support: dates that are dates, in their order, and no release twice."""

from __future__ import annotations

import datetime

import pytest

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks import _support_table as table


@pytest.mark.parametrize("row", table.ROWS, ids=lambda row: row.name)
def test_a_row_has_dates_in_order(row: table.Row) -> None:
    ends = [row.support_ends, row.security_ends, *([row.extended_ends] if row.extended_ends else [])]
    assert sorted(ends, key=datetime.date.fromisoformat) == ends
    assert bool(row.extended_ends) == bool(row.entitlement)


def test_no_release_stands_there_twice() -> None:
    keys = [(row.system, row.release, edition) for row in table.ROWS for edition in row.editions or ("",)]
    assert len(keys) == len(set(keys))


def test_the_table_says_when_it_was_taken() -> None:
    assert datetime.date.fromisoformat(table.AS_OF) >= datetime.date(2026, 8, 22)
