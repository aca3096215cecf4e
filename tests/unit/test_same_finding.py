"""The same trouble is the same finding on every system: one check, so one title and one set of controls, one key, one
state, and the same words for what is and what should be. What to do about it differs where the tools do.

Each pair is a case of a Linux host and one of a Windows host with the same trouble; only numbers and names differ.
"""

from __future__ import annotations

import re
import typing as t

import pytest
import replay
import windows_replay

from ansible_collections.keepwell.fleet.plugins.plugin_utils import identifiers, judge, policy
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import Verdict

# check -> a case below cases/checks, a case below cases/windows_verdicts.
PAIRS = {
    "antivirus.present": ("antivirus/nothing_installed", "antivirus/truth_11_a_server_without_any_engine"),
    "antivirus.scans": ("antivirus/case_13_a_date_in_the_year_1600", "antivirus/case_13_full_scan_never"),
    "backup.last_run": ("backup/52_1_hours", "backups/server_backup_four_days_ago"),
    "backup.present": ("backup/nothing_but_redis", "backups/nothing_backs_it_up"),
    "backup.scheduled": ("backup/an_agent_that_is_down", "backups/an_agent_that_is_down"),
    "capacity.forecast": ("capacity/forecast_crit_in_six_days", "disks/full_in_six_days"),
    "capacity.read_only": ("capacity/read_only_since_last_look", "disks/read_only_since_the_last_look"),
    "capacity.space": ("capacity/space_below_watch_and_crit", "disks/mount_folder_nearly_full"),
    "hardware.disk_health": ("hardware/nvme_ninety_percent", "hardware/an_ssd_is_worn"),
    "hardware.memory_errors": ("hardware/memory_corrected_growing", "hardware/corrected_memory_errors"),
    "network.default_route": ("network/no_default_route", "network/no_default_route"),
    "network.listeners": ("network/listener_new", "network/a_new_listener"),
    "network.resolvers": ("network/all_resolvers_dead", "network/all_name_servers_dead"),
    "patching.security_pending": (
        "patching/newer_version_keeps_the_clock",
        "packages/case_09_three_months_behind_one_update_five_days_old",
    ),
    "services.failed_units": ("services/failed_recorded", "services/a_service_that_ended_with_an_error"),
    "services.not_running": ("services/stopped_recorded", "services/an_automatic_service_that_somebody_stopped"),
    "services.restarting": ("services/restarting_recorded", "services/a_service_that_crashes_all_the_time"),
    "time.offset": ("time/offset_at_crit_limit", "timesync/seven_seconds_behind"),
    "time.synchronised": ("time/no_service_on_a_machine", "timesync/nothing_keeps_the_clock"),
}
# Of the host as a whole, so that a client who moves a host to another system keeps the finding.
OF_THE_HOST = ("antivirus.present", "backup.present", "network.default_route", "time.offset", "time.synchronised")


def verdicts(check: str, kind: str, name: str) -> list[Verdict]:
    """What a check says of a case, but for what is well."""
    case = replay.load(replay.CASES / kind / f"{name}.yml")
    seen = replay.view(case) if kind == "checks" else windows_replay.view(case)
    chosen = policy.build([("case", case.get("policy") or {})])
    return [verdict for verdict in judge.run_check(check, seen, chosen).verdicts if verdict.state != "ok"]


def words(verdict: Verdict) -> tuple[str, ...]:
    """State and texts without numbers and the name of the object."""
    texts = [
        text.replace(verdict.object, "…") if verdict.object else text for text in (verdict.observed, verdict.expected)
    ]
    return (verdict.state, *(re.sub(r"\d+(\.\d+)?", "#", text) for text in texts))


@pytest.mark.parametrize("check", PAIRS)
def test_the_same_trouble_has_the_same_words(check: str) -> None:
    linux, windows = (
        {words(verdict) for verdict in verdicts(check, kind, name)}
        for kind, name in zip(("checks", "windows_verdicts"), PAIRS[check], strict=True)
    )
    assert linux & windows, (linux, windows)


@pytest.mark.parametrize("check", OF_THE_HOST)
def test_the_same_trouble_of_a_host_has_the_same_key(check: str) -> None:
    keys: list[set[t.Any]] = [
        {identifiers.finding_key("acme", "srv1", check, verdict.object) for verdict in verdicts(check, kind, name)}
        for kind, name in zip(("checks", "windows_verdicts"), PAIRS[check], strict=True)
    ]
    assert keys[0] == keys[1] == {identifiers.finding_key("acme", "srv1", check, "")}
