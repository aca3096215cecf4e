# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules as they are carried out: what they look for, what they keep for ever, and how the account adds up."""

from __future__ import annotations

import os
import time
import typing as t
from pathlib import Path

import pytest
from cleanup_rules import DEBIAN, FILE_RULES, FUTURE, TREE, request
from cleanup_tree import put

from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError
from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup import (
    _file_rules,
    _space,
    _sweep,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.patching import _locks


@pytest.mark.parametrize("rule", FILE_RULES)
def test_each_rule_takes_what_it_is_for_and_nothing_else(all_of_it: Path, rule: str) -> None:
    if rule == "crash_data":
        newest = put(all_of_it / "var/crash/newest.crash"), put(all_of_it / "var/lib/systemd/coredump/core.newest")
    _sweep.sweep(DEBIAN, request(rule), True, FUTURE)
    gone = {name for name in TREE if not (all_of_it / name).exists()}
    assert gone == {name for name, owner in TREE.items() if owner == rule}
    if rule == "crash_data":
        assert all(path.exists() for path in newest)


def test_together_they_are_what_was_announced(all_of_it: Path) -> None:
    seen = _sweep.sweep(DEBIAN, request(*FILE_RULES), False, FUTURE)
    told: list[t.Any] = []
    done = _sweep.sweep(DEBIAN, request(*FILE_RULES), True, FUTURE, tell=told.append)
    assert done["rules"] == seen["rules"]
    assert done["filesystems"][0]["predicted_bytes"] == seen["filesystems"][0]["predicted_bytes"] > 0
    # The crash dumps were written down before they went.
    assert [entry["id"] for entry in told[3]] == ["package_cache", "journal", "rotated_logs", "crash_data"]
    assert {report["id"] for report in seen["reports"]} == {"orphans", "package_leftovers"}


@pytest.mark.parametrize(("days", "retention"), [(30, 90), (89.9, 90), (90, 365), (0, 0)])
def test_logs_that_have_to_be_kept_are_refused_whoever_asks(all_of_it: Path, days: float, retention: float) -> None:
    for rule in ("journal", "rotated_logs"):
        with pytest.raises(AgentError, match=r"have to be kept \(disk_cleanup_log_retention_days\)"):
            _sweep.sweep(DEBIAN, request(rule, log_days=days, log_retention_days=retention), True, FUTURE)
    assert all((all_of_it / name).exists() for name in TREE)


def test_young_logs_and_packages_stay(all_of_it: Path) -> None:
    done = _sweep.sweep(DEBIAN, request("package_cache", "rotated_logs", "journal"), True, time.time())
    assert [(rule["files"], rule["skipped"]) for rule in done["rules"]] == [
        (0, {"age": 1}),
        (0, {"age": 2}),
        (0, {"age": 4, "kept": 3}),
    ]


def test_logs_of_people_stay(all_of_it: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    os.chown(all_of_it / "var/log/syslog.1", 1500, 1500)
    done = _sweep.sweep(DEBIAN, request("rotated_logs"), True, FUTURE)
    assert done["rules"][0]["skipped"]["owner"] == 1
    assert (all_of_it / "var/log/syslog.1").exists()


def test_the_cache_stays_while_a_package_manager_works(all_of_it: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    holder = {"path": "/var/lib/dpkg/lock", "pid": 7, "process": "apt-get", "unit": None}
    monkeypatch.setattr(_locks, "held", lambda *_: [holder])
    done = _sweep.sweep(DEBIAN, request("package_cache"), True, FUTURE)
    assert done["rules"][0]["files"] == 0
    assert done["rules"][0]["notes"][0].startswith("nothing was done: apt-get (process 7) holds /var/lib/dpkg/lock")


def test_a_rule_that_names_another_folder_is_refused(all_of_it: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_file_rules, "plan", lambda *_: ([("/var/lib/mysql", None)], []))
    with pytest.raises(AgentError, match="in no folder in which Keepwell deletes anything"):
        _sweep.sweep(DEBIAN, request("rotated_logs"), True, FUTURE)


@pytest.mark.parametrize(
    ("rule", "code"), [("everything", "unknown_rule"), ("orphans", "rule_off"), ("package_leftovers", "rule_off")]
)
def test_what_is_no_rule_is_refused(rule: str, code: str) -> None:
    with pytest.raises(AgentError) as caught:
        _sweep.request_of(request(rule))
    assert caught.value.code == code


def test_only_filesystems_that_are_mounted_can_be_asked_for() -> None:
    with pytest.raises(AgentError, match="/nowhere is no mounted local filesystem"):
        _space.targets([{"mount": "/nowhere", "target_percent": 5}])
