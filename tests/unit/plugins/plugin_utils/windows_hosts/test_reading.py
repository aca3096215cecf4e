"""Documents of Windows hosts: read once, failures kept to their probe, and judged in the same words as all others."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

import pytest
import replay
import windows_replay
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.action import assess
from ansible_collections.keepwell.fleet.plugins.plugin_utils import judge, observation, policy
from ansible_collections.keepwell.fleet.plugins.plugin_utils.identifiers import finding_key
from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_hosts import months, reading

NOW = 1764234000.0


def document(**probes: t.Any) -> dict[str, t.Any]:
    records = {
        name: {"status": "ok", "collected_at": NOW, "data": data, "sources": {}} for name, data in probes.items()
    }
    return {
        "schema_version": "1.0",
        "collected_at": NOW,
        "duration_s": 2.0,
        "privileged": True,
        "powershell": "5.1.20348.4294",
        "probes": records,
    }


def test_data_of_another_shape_costs_its_probe_alone() -> None:
    sent = document(services={"services": None}, timesync={"services": {}, "samples": [], "type": "NTP"})
    assert observation.check_shape(sent) is None
    read = observation.complete(sent, ["services", "timesync", "system"])["probes"]
    assert (read["services"]["status"], read["services"]["data"]) == ("error", {})
    assert read["services"]["detail"].startswith("what the probe sent cannot be read: ")
    assert read["timesync"]["status"] == "ok"
    assert read["system"]["detail"] == "the host's answer leaves it out"


def test_every_probe_has_a_reader_and_none_fails_with_anything_else_than_it_may() -> None:
    for name in reading.READERS:
        for data in ({}, {"x": 1}, {"services": [1], "centre": 7, "policy": "text", "search": []}):
            record = reading.read(document(**{name: data}))["probes"][name]
            assert record["status"] in ("ok", "error")


def test_documents_of_other_hosts_are_left_alone() -> None:
    other = {key: value for key, value in document(services={"units": {}}).items() if key != "powershell"}
    assert reading.read(other) is other


def test_a_record_that_failed_stays_as_it_is() -> None:
    sent = document(packages={})
    sent["probes"]["packages"] = {"status": "timeout", "detail": "stopped after 40.0 s", "data": {}, "sources": {}}
    assert reading.read(sent)["probes"] == sent["probes"]


def test_the_facts_name_powershell_in_place_of_python() -> None:
    facts = observation.facts(document())
    assert (facts.powershell, facts.python) == ("5.1.20348.4294", None)


@pytest.mark.parametrize(("key", "value"), [("powershell", 5), ("began_at", "now"), ("began_at", float("inf"))])
def test_a_head_of_another_shape_is_no_observation(key: str, value: t.Any) -> None:
    assert observation.check_shape({**document(), key: value}) is not None


@pytest.mark.parametrize(
    ("ahead", "told"),
    [(0.0, 0.0), (0.2, 0.0), (3.0, 2.7), (-3.0, -2.8)],
)
def test_clocks_are_compared_by_the_start_of_the_process(ahead: float, told: float) -> None:
    """Asked at 0; the process begins at 0.2, the probes at 6, they take 2; the answer is there at 8.3."""
    sent = {"began_at": NOW + 0.2 + ahead, "collected_at": NOW + 6.0 + ahead, "duration_s": 2.0}
    assert assess._clock_offset(sent, NOW, NOW + 8.3) == pytest.approx(told)


def test_without_the_start_of_the_process_seconds_of_starting_hide_an_offset() -> None:
    sent = {"collected_at": NOW + 6.0 - 3.0, "duration_s": 2.0}
    assert assess._clock_offset(sent, NOW, NOW + 8.3) == 0.0


# The check, and the case of a Windows host in which it finds something.
FINDINGS = (
    ("antivirus.real_time", "antivirus/truth_03_passive_alone"),
    ("antivirus.definitions", "antivirus/definitions_six_days_old"),
    ("antivirus.detections", "antivirus/a_removal_that_failed"),
    ("antivirus.scans", "antivirus/case_13_full_scan_never"),
    ("lifecycle.os_support", "system/support_of_10_22h2"),
    ("patching.reboot_required", "packages/a_strong_reboot_that_is_overdue"),
    ("patching.reboot_required", "packages/case_10_files_to_rename_alone_are_weak"),
    ("patching.withheld", "packages/a_hidden_security_update"),
    ("patching.security_pending", "packages/case_09_three_months_behind_one_update_five_days_old"),
    ("services.failed_units", "services/a_service_that_ended_with_an_error"),
    ("services.restarting", "services/a_service_that_crashes_all_the_time"),
    ("services.timers", "services/a_task_that_fails"),
    ("services.watched", "services/watched_by_any_of_its_names"),
    ("time.offset", "timesync/seven_seconds_behind"),
    ("time.synchronised", "timesync/no_source_answers"),
)


@pytest.mark.parametrize(("check", "name"), FINDINGS)
def test_the_same_fact_gives_the_same_finding_on_both_systems(check: str, name: str) -> None:
    """State, key and sentences; the commands are those of the host's system."""
    seen = windows_replay.view(replay.load(replay.CASES / "windows_verdicts" / f"{name}.yml"))
    chosen = policy.build([])
    here = list(judge.run_check(check, seen, chosen).verdicts)
    there = list(judge.run_check(check, dataclasses.replace(seen, windows=False), chosen).verdicts)
    assert any(verdict.state != "ok" for verdict in here)
    told = ("state", "object", "observed", "expected", "summary", "since", "deadline")
    assert [[getattr(v, part) for part in told] for v in here] == [[getattr(v, part) for part in told] for v in there]
    keys = [[finding_key("bakery", "srv01", check, v.object) for v in verdicts] for verdicts in (here, there)]
    assert keys[0] == keys[1]
    for verdict in here:
        for word in ("systemctl", "journalctl", "sudo", "/etc/", "uname", "timedatectl", "chronyc"):
            assert word not in f"{verdict.command} {verdict.advice} {verdict.summary}"


@given(st.dates(datetime.date(2016, 1, 1), datetime.date(2040, 12, 31)))
def test_monthly_updates_come_on_the_second_tuesday(day: datetime.date) -> None:
    moment = datetime.datetime.fromtimestamp(months.patch_tuesday(day.year, day.month), datetime.UTC)
    assert (moment.weekday(), (moment.day - 1) // 7) == (1, 1)
    at = datetime.datetime(day.year, day.month, day.day, tzinfo=datetime.UTC).timestamp()
    newest = months.newest_at(at)
    assert months.after(newest) > at
    assert months.between(newest, newest) == 0


def test_patch_tuesdays_that_are_known() -> None:
    days = [
        datetime.datetime.fromtimestamp(months.patch_tuesday(2025, month), datetime.UTC).day for month in (7, 9, 10, 11)
    ]
    assert days == [8, 9, 14, 11]
    assert months.between("2025-11", "2026-02") == 3


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_number_that_is_none_costs_its_probe_alone(bad: float) -> None:
    """No evidence can hold it: left in, the host would have none at all."""
    sent = windows_replay.documents("2022", {"timesync": {"type": bad}}, {})
    read = observation.complete(sent, [])["probes"]
    assert read["timesync"]["status"] == "error"
    assert read["services"]["status"] == "ok"


def test_what_is_nested_without_end_costs_its_probe_alone() -> None:
    deep: list[t.Any] = []
    for _ in range(100_000):
        deep = [deep]
    sent = windows_replay.documents("2022", {"timesync": {"type": deep}}, {})
    read = observation.complete(sent, [])["probes"]
    assert read["timesync"]["status"] == "error"
    assert read["services"]["status"] == "ok"


@pytest.mark.parametrize("hidden", ["tcp", "udp"])
def test_half_of_what_listens_is_no_list(hidden: str) -> None:
    """It would be remembered, and the other half be new the next time."""
    read = observation.complete(windows_replay.documents("2022", {"network": {hidden: None}}, {}), [])["probes"]
    assert read["network"]["data"]["listeners"] is None


def test_a_group_whose_members_cannot_be_listed_was_not_read() -> None:
    read = observation.complete(windows_replay.documents("2022", {"access": {"groups/0/members": None}}, {}), [])
    assert "Administrators" not in read["probes"]["access"]["data"]["admins_read"]
    assert judge.run_check("access.admins", _view(read), policy.build([])).state == "unknown"


def test_names_of_services_are_names_not_letters() -> None:
    read = observation.complete(windows_replay.documents("2022", {"services": {"watched": "Spooler"}}, {}), [])
    assert read["probes"]["services"]["data"]["watched"] == ["Spooler"]


def _view(read: dict[str, t.Any]) -> t.Any:
    return observation.view(read, "srv01", read["collected_at"])


def test_what_windows_classifies_is_not_taken_for_a_security_update() -> None:
    """Tools, applications and the like have a class of their own; only what has none counts as one."""
    for guid, wanted in (
        ("b4832bd8-e735-4761-8daf-37f882276dab", "bugfix"),
        ("5c9376ab-8ce6-464a-b136-22113dd69801", "feature"),
        ("00000000-0000-0000-0000-000000000000", "unknown"),
    ):
        change = {"search/updates/0/categories": [guid], "search/updates/0/severity": None}
        read = observation.complete(windows_replay.documents("2022", {"packages": change}, {}), [])["probes"]
        assert read["packages"]["data"]["pending"][0]["class"] == wanted


def test_a_host_whose_volumes_cannot_be_listed_is_not_one_with_room() -> None:
    read = observation.complete(windows_replay.documents("2022", {"disks": {"volumes": None}}, {}), [])
    assert judge.run_check("capacity.space", _view(read), policy.build([])).state == "unknown"
