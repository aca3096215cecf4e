"""What should have run: met by a timer, by a person, by nothing; and how loudly that is told."""

from __future__ import annotations

import typing as t
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ansible_collections.keepwell.fleet.plugins.plugin_utils import scheduled
from ansible_collections.keepwell.fleet.plugins.plugin_utils.expected_runs import declared, errands, ledger, metrics
from ansible_collections.keepwell.fleet.plugins.plugin_utils.expected_runs.ledger import Began
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import epoch
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import MissedRun
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_files import RunFiles
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule import model

ZONE = "Europe/Amsterdam"
SCHEDULE: dict[str, t.Any] = {
    "watch": {"playbook": "watch", "every": "5m"},
    "morning": {"playbook": "assess", "at": "05:10"},
    "nightly": {"playbook": "patch", "at": "22:00", "act": ["patching"]},
    "servers": {"playbook": "assess", "at": "12:00", "limit": "servers"},
}
SINCE = epoch("2026-11-23T00:00:00Z")


def hour(text: str) -> float:
    """A time like ``24 05:30`` of November, by the client's clock (UTC+1)."""
    day, time = text.split()
    return epoch(f"2026-11-{day}T{time}:00Z") - 3600


def accounts(
    now: float, runs: t.Sequence[Began], *entries: str, since: float = 0.0
) -> tuple[list[MissedRun], list[ledger.Slot]]:
    version = declared.Declared(
        at="2026-11-23T00:00:00Z", timezone=ZONE, schedule={name: SCHEDULE[name] for name in entries}
    )
    slots = ledger.slots(declared.planned([version], SINCE, now), runs)
    return ledger.missed("acme", slots, runs, ZoneInfo(ZONE), now, since), slots


def texts(now: str, runs: t.Sequence[Began], *entries: str) -> list[str]:
    return [entry.text for entry in accounts(hour(now), runs, *entries)[0]]


def test_a_run_that_did_not_begin_is_told_with_its_planned_time() -> None:
    assert texts("23 12:00", [], "morning") == [
        "morning (assess), planned for Mon 2026-11-23 05:10 Europe/Amsterdam, did not run within 2 hours."
    ]


def test_before_its_grace_is_over_nothing_is_missed() -> None:
    assert texts("23 07:09", [], "morning") == []
    assert len(texts("23 07:10", [], "morning")) == 1


@pytest.mark.parametrize(
    "run",
    [
        Began(hour("23 05:15"), "assess", "morning"),
        Began(hour("23 06:50"), "assess"),
        Began(hour("23 05:15"), "assess", "morning", complete=False),
    ],
    ids=["by its timer", "by a person, late", "begun and not ended"],
)
def test_a_run_meets_its_time(run: Began) -> None:
    assert texts("23 12:00", [run], "morning") == []


@pytest.mark.parametrize(
    ("run", "told"),
    [
        (Began(hour("23 05:15"), "assess", "servers"), "2 hours."),
        (Began(hour("23 05:15"), "patch"), "2 hours."),
        (Began(hour("23 05:15"), "assess", whole=False), "for a part of the hosts."),
        (Began(hour("23 07:30"), "assess", "morning"), "it began Mon 2026-11-23 07:30 Europe/Amsterdam, too late."),
    ],
    ids=["of another entry", "of another playbook", "of some hosts", "too late"],
)
def test_another_run_does_not(run: Began, told: str) -> None:
    assert [text.endswith(told) for text in texts("23 12:00", [run], "morning")] == [True]


def test_a_run_that_only_looked_does_not_stand_for_one_that_was_to_act() -> None:
    looked = Began(hour("23 22:00"), "patch", "nightly")
    acted = looked._replace(acting=frozenset({"patching"}))
    assert texts("24 01:00", [acted], "nightly") == []
    assert texts("24 01:00", [looked], "nightly") == [
        "nightly (patch, to act: patching), planned for Mon 2026-11-23 22:00 Europe/Amsterdam, did not run within 2 hours; "
        "a run began Mon 2026-11-23 22:00 Europe/Amsterdam, and was not to act."
    ]


def test_a_run_of_a_part_meets_an_entry_for_a_part() -> None:
    assert texts("23 15:00", [Began(hour("23 12:01"), "assess", whole=False)], "servers") == []


def test_one_run_meets_one_planned_time() -> None:
    beats = [Began(SINCE + 300 * number, "watch", "watch") for number in range(12) if number not in (4, 5, 6)]
    found, slots = accounts(SINCE + 3600 + 900, beats, "watch")
    assert [slot.at for slot in slots if slot.missed(SINCE + 4500)][:3] == [SINCE + 1200, SINCE + 1500, SINCE + 1800]
    assert found[0].count == 3
    assert "did not run 3 times in a row" in found[0].text


def test_what_was_made_good_is_told_only_while_it_is_news() -> None:
    runs = [Began(hour("24 05:10"), "assess", "morning")]
    now = hour("25 02:00")
    assert len(accounts(now, runs, "morning", since=hour("23 00:00"))[0]) == 1
    assert accounts(now, runs, "morning", since=hour("24 00:00"))[0] == []


def test_what_still_did_not_run_stays_told() -> None:
    assert len(accounts(hour("25 12:00"), [], "morning", since=hour("25 11:00"))[0]) == 1


def test_nothing_was_missed_before_it_was_declared(tmp_path: Path) -> None:
    files = RunFiles(tmp_path, "acme")
    morning = {"morning": SCHEDULE["morning"]}
    declared.note(files, {}, ZONE, hour("23 01:00"))
    assert declared.read(files) == []
    declared.note(files, morning, ZONE, hour("23 09:00"))
    declared.note(files, morning, ZONE, hour("23 10:00"))
    declared.note(files, {}, ZONE, hour("24 09:00"))
    assert [(entry.at, list(entry.schedule)) for entry in declared.read(files)] == [
        ("2026-11-23T08:00:00Z", ["morning"]),
        ("2026-11-24T08:00:00Z", []),
    ]
    plans = declared.planned(declared.read(files), SINCE, hour("27 00:00"))
    assert [(name, at) for name, _terms, at in plans] == [("morning", hour("24 05:10"))]


def standing(now: float, runs: t.Sequence[Began]) -> ledger.Standing:
    _found, slots = accounts(now, runs, "morning")
    entries = {name: slot.terms for slot in slots for name in [slot.name]}
    following = {"morning": hour("25 07:10")}
    return ledger.standings(entries, slots, runs, following, now)[0]


def test_the_dead_mans_time_passes_when_nothing_runs() -> None:
    good = Began(hour("23 05:10"), "assess", "morning")
    now = hour("24 12:00")
    assert standing(now, [good]) == ledger.Standing("morning", hour("23 05:10"), hour("24 07:10"), 1)
    later = Began(hour("24 11:00"), "assess", "morning")
    assert standing(now, [good, later]).expected_by == hour("25 07:10"), "somebody made it good"
    cut_off = good._replace(at=hour("24 05:10"), complete=False)
    assert standing(now, [good, cut_off]).last_success == hour("23 05:10")


def test_metrics_of_a_client_are_one_file() -> None:
    found = [ledger.Standing("morning", hour("23 05:10"), hour("24 07:10"), 1)]
    lines = metrics.metrics_file("acme", found, hour("24 08:00"), (hour("24 07:55"), {})).decode().splitlines()
    labels = '{client="acme",entry="morning"}'
    assert f"keepwell_schedule_last_success_timestamp_seconds{labels} {int(hour('23 05:10'))}" in lines
    assert f"keepwell_schedule_expected_by_timestamp_seconds{labels} {int(hour('24 07:10'))}" in lines
    assert f"keepwell_schedule_missed_runs{labels} 1" in lines
    assert f'keepwell_watch_last_beat_timestamp_seconds{{client="acme"}} {int(hour("24 07:55"))}' in lines


def test_a_run_of_the_entry_need_not_have_every_chore_of_it_but_one() -> None:
    """Of chores that no host within the limit bought, a run of maintain says nothing."""
    terms = model.Entry.model_validate({"playbook": "maintain", "at": "22:00", "act": ["patching", "disk_cleanup"]})

    def fits(entry: str, *acting: str) -> bool:
        return ledger.fits("night", terms, Began(0.0, "maintain", entry, frozenset(acting)))

    assert fits("night", "patching")
    assert not fits("night")
    assert not fits("other", "patching", "disk_cleanup")
    assert not fits("", "patching")
    assert fits("", "patching", "disk_cleanup")


def test_errands_are_remembered_as_long_as_the_ledger_looks_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = RunFiles(tmp_path, "acme")
    monkeypatch.setattr(scheduled, "playbook", lambda: "deliver")
    for day in range(0, 90, 5):
        errands.note(files, "deliver", "again", SINCE + day * 86400)
    errands.note(files, "report", "", SINCE)  # a part of another playbook is none
    assert {run.playbook for run in errands.began(files, 0.0)} == {"deliver"}
    assert len(errands.began(files, SINCE + 50 * 86400)) == 8
    assert len((tmp_path / "acme" / "errands.jsonl").read_text().splitlines()) < 18
