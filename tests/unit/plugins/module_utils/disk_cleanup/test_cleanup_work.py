# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cleaning up as a piece of work on a host: its account, its end, and what is refused."""

from __future__ import annotations

import errno
import json
import typing as t
from pathlib import Path

import pytest
from cleanup_rules import FUTURE, request

from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _folder, _system, _unit
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError
from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup import (
    _agent,
    _bases,
    _control,
    _work,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine


@pytest.fixture
def host_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_folder, "MEMORY_ROOT", str(tmp_path / "memory"))
    monkeypatch.setattr(_folder, "LOCK", str(tmp_path / "lock"))
    monkeypatch.setattr(_system, "has_systemd", lambda machine: False)
    monkeypatch.setattr(_unit, "start", lambda *_: None)
    return tmp_path / "memory/disk_cleanup"


def start(**more: t.Any) -> dict[str, t.Any]:
    asked = {"id": "01CLEANUP", "run_id": "run", "client": "acme", "host": "web1", "kind": "cleanup", "program": "pass"}
    return _control.start(Machine(), {**asked, **request("rotated_logs"), **more})


def test_the_work_ends_with_its_account(host_folder: Path, all_of_it: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Machine, "now", lambda _self: FUTURE)
    assert start()["started"]
    _work.run(str(host_folder / "01CLEANUP"))
    state = _control.status(Machine(), "01CLEANUP")
    assert (state["outcome"], state["phase"], state["rules"][0]["files"]) == ("done", "ended", 4)
    assert [entry["id"] for entry in _control.unfinished(Machine())["work"]] == ["01CLEANUP"]
    _control.recorded(Machine(), "01CLEANUP")
    assert _control.unfinished(Machine()) == {"work": []}


def test_a_disk_too_full_to_write_down_progress_does_not_end_the_work(
    host_folder: Path, all_of_it: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Machine, "now", lambda _self: FUTURE)
    start()
    real = _folder.write
    refused = []

    def full(folder: str, name: str, text: str) -> None:
        if json.loads(text).get("rules") and not json.loads(text).get("outcome"):
            refused.append(name)
            raise OSError(errno.ENOSPC, "No space left on device", name)
        real(folder, name, text)

    monkeypatch.setattr(_folder, "write", full)
    _work.run(str(host_folder / "01CLEANUP"))
    state = _control.status(Machine(), "01CLEANUP")
    assert refused
    assert (state["outcome"], state["rules"][0]["files"]) == ("done", 4)


def test_work_whose_program_is_gone_is_judged(host_folder: Path) -> None:
    start()
    state = json.loads((host_folder / "01CLEANUP/state.json").read_text())
    for phase, outcome in (("waiting", "refused"), ("cleaning", "failed"), ("growing", "failed")):
        changed = {**state, "phase": phase, "started_at": 1.0, "process": {"pid": 1, "started": 1}}
        (host_folder / "01CLEANUP/state.json").write_text(json.dumps(changed))
        ended = _control.status(Machine(), "01CLEANUP")
        assert (ended["outcome"], ended["code"]) == (outcome, "interrupted")
        assert ("the next run makes up" in ended["text"]) == (phase == "growing")


def test_what_may_not_be_done_is_refused_before_anything_is_written(host_folder: Path) -> None:
    with pytest.raises(AgentError, match="never carried out"):
        start(rules=["orphans"])
    assert not host_folder.exists()


def test_the_agent_knows_what_only_reads() -> None:
    assert set(_agent.READING) < set(_agent.OPERATIONS)
    assert {"start", "recorded", "clean"} == set(_agent.OPERATIONS) - set(_agent.READING)
    assert set(_bases.ALLOWED).isdisjoint({"/var/lib", "/var", "/", "/home", "/etc"})
