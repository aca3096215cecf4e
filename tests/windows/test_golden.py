"""Golden documents say where they come from, and are told as if it were now."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest
from windows_host import golden
from windows_host.state import VERSIONS

from ansible_collections.keepwell.fleet.plugins.module_utils.probes._registry import PROBES

FILES = sorted(golden.HERE.glob("*/*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_golden_document_says_whether_it_was_recorded_and_where_it_comes_from(path: Path) -> None:
    document = json.loads(path.read_text())
    assert set(document) == {"recorded", "source", "at", "data"}
    assert isinstance(document["recorded"], bool)
    assert len(document["source"]) > 10
    assert path.parent.name in VERSIONS
    assert path.stem in PROBES


def test_times_and_months_of_titles_move_and_nothing_else_does() -> None:
    at = json.loads((golden.HERE / "2022" / "packages.json").read_text())["at"]
    then = golden.data("2022", "packages", at)
    assert then == json.loads((golden.HERE / "2022" / "packages.json").read_text())["data"]
    later = golden.data("2022", "packages", at + 61 * 86400)
    assert later["history"][1]["at"] - then["history"][1]["at"] == 61 * 86400
    assert then["history"][1]["title"].startswith("2025-11 Cumulative Update")
    assert later["history"][1]["title"].startswith("2026-01 Cumulative Update")
    assert later["policy"] == then["policy"]
    assert later["build"] == then["build"]


def test_a_month_begins_with_its_updates() -> None:
    def month(*day: int) -> int:
        return golden.month(datetime.datetime(*day, tzinfo=datetime.UTC).timestamp()) % 12 + 1

    assert (month(2026, 11, 10, 17), month(2026, 11, 10, 19)) == (10, 11)
    assert (month(2026, 1, 1), month(2026, 1, 13, 20)) == (12, 1)
