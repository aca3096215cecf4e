# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A test of a backup that is ended: by its limits, from outside, or by what it may take of the host."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import made_backup
import pytest
from made_backup import ID, SECRET, how, request, tree, wait_for
from verification_host import sandboxes, verified, work_folder

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import (
    _agent,
    _control,
    _memory,
    _sandbox,
    _work,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _folder, _unit
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine


def test_a_sandbox_that_runs_full_is_told_and_emptied(host: Path) -> None:
    """The snapshot is larger than it says."""
    place = host / "place"
    place.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "none", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no right to mount here")
    try:
        how(host, say={"restore": f'set -- {place}/*/data; cat /dev/zero >"$1/fill"'}, restore={"outcome": "error"})
        state = verified(request(host, sandbox={"base": str(place)}))
        assert (state["proof"]["outcome"], state["code"]) == ("error", "sandbox_full")
        assert os.listdir(place) == []
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_restore_that_takes_too_much_room_is_ended(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sandbox, "is_short", lambda path, _asked: bool(list(Path(path).glob("data/srv/*"))))
    how(host, say={"restore": "exec sleep 60"})
    began = time.monotonic()
    state = verified(request(host, "full"))
    assert time.monotonic() - began < 30
    assert (state["proof"]["outcome"], state["code"], state["outcome"]) == ("error", "sandbox_full", "failed")
    assert sandboxes(host) == []


def test_half_of_what_must_stay_free_is_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def room(free: int, inodes: int) -> None:
        found = os.statvfs_result((1, 1, 1000, free, free, 1000, inodes, inodes, 0, 255))
        monkeypatch.setattr(_sandbox.os, "statvfs", lambda _path: found)

    room(80, 80)
    assert not _sandbox.is_short(str(tmp_path), {"free_percent": 15})
    room(70, 80)
    assert _sandbox.is_short(str(tmp_path), {"free_percent": 15})
    assert not _sandbox.is_short(str(tmp_path), {"free_percent": 10})
    room(80, 70)
    assert _sandbox.is_short(str(tmp_path), {"free_percent": 15}), "inodes"


def test_a_cache_is_bounded_in_a_test_as_well(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_memory, "room", lambda _machine: 2**20)
    how(host, say={"pick": 'head -c 4000000 /dev/zero >"$HOME/cache"; exec sleep 60'})
    state = verified(request(host))
    assert (state["outcome"], state["code"], state["proof"]["outcome"]) == ("failed", "cache_full", "error")
    assert sandboxes(host) == []


def test_a_test_may_take_half_of_the_memory_where_nobody_says(host: Path) -> None:
    state = verified(request(host))
    assert state["outcome"] == "done"
    limits = _folder.load(str(work_folder()), "request.json")["limits"]
    total = int(Path("/proc/meminfo").read_text().split("MemTotal:")[1].split()[0]) * 1024
    assert limits["memory_bytes"] == total // 2


def test_what_was_asked_for_holds_and_a_program_that_it_ended_is_told(
    host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_unit, "starved", lambda _machine: True)
    how(host, restore={"outcome": "error", "errors": ["return code -9"]})
    asked = request(host, limits={"runtime_s": 60, "lock_timeout_s": 0, "memory_bytes": 64 << 20})
    state = verified(asked)
    assert (state["outcome"], state["code"]) == ("failed", "memory")
    assert "may take 64 MiB of memory: give it more (backup_verification_limits.memory_mb)" in state["text"]


def restoring(host: Path, **more: t.Any) -> t.Any:
    """The program as a process of its own, in the middle of a restore that does not end."""
    how(host, say={"restore": "exec sleep 60"})
    asked = request(host, secrets={"RESTIC_PASSWORD": SECRET}, **more)
    assert _control.start(Machine(), asked)["started"]
    process = made_backup.start_apart(host)
    wait_for(lambda: sandboxes(host) and list((host / "keepwell" / "sandbox").glob("*/data/srv/*")))
    wait_for(lambda: _folder.load(str(work_folder()), "state.json")["command"])
    return process


def gone(pid: int) -> bool:
    return _folder.started(pid) is None


def test_what_is_terminated_cleans_up(host: Path) -> None:
    process = restoring(host)
    command = _folder.load(str(work_folder()), "state.json")["command"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    state = _control.status(Machine(), ID)
    assert (state["proof"]["outcome"], state["code"], state["outcome"]) == ("error", "interrupted", "failed")
    assert (sandboxes(host), os.listdir(host / "memory")) == ([], [])
    assert gone(command["pid"])


def test_what_takes_too_long_cleans_up(host: Path) -> None:
    process = restoring(host, limits={"runtime_s": 3, "lock_timeout_s": 0})
    assert process.wait(30) == 0
    state = _control.status(Machine(), ID)
    assert state["proof"]["outcome"] == "timeout"
    assert sandboxes(host) == []


@pytest.mark.parametrize("by", ["status", "leftovers", "next"])
def test_what_is_killed_is_cleaned_up_by_who_comes_next(host: Path, by: str) -> None:
    before = tree(host / "repository")
    process = restoring(host)
    command = _folder.load(str(work_folder()), "state.json")["command"]
    foreign = host / "keepwell" / "sandbox" / "somebody's"
    foreign.mkdir()
    (foreign / "file").write_text("stays")
    process.kill()
    process.wait()
    if by == "leftovers":
        answer = _agent.OPERATIONS["leftovers"](Machine(), {})
        assert [entry["id"] for entry in answer["removed"]] == [ID]
        assert (answer["left"], answer["foreign"]) == ([], [str(foreign)])
    elif by == "next":
        how(host)
        following = {**request(host), "id": "01VERIFICATION1"}
        assert _control.start(Machine(), following)["started"]
        _work.run(_folder.path(_control.CHORE, "01VERIFICATION1"))
        assert _control.status(Machine(), "01VERIFICATION1")["proof"]["outcome"] == "proven"
    state = _control.status(Machine(), ID)
    assert (state["outcome"], state["code"]) == ("failed", "interrupted")
    assert (state["proof"]["outcome"], state["proof"]["left"]) == ("error", "")
    assert sandboxes(host) == [foreign.name]
    assert not (work_folder() / "files").exists(), "the names of the client's files"
    assert os.listdir(host / "memory") == []
    assert (foreign / "file").read_text() == "stays"
    assert gone(command["pid"])
    assert tree(host / "repository").keys() == before.keys() | {"how.json"}


def test_a_folder_in_the_place_of_ours_is_not_removed(host: Path) -> None:
    process = restoring(host)
    process.kill()
    process.wait()
    (made,) = sandboxes(host)
    path = host / "keepwell" / "sandbox" / made
    path.rename(host / "moved")
    path.mkdir()
    (path / "precious").write_text("stays")
    state = _control.status(Machine(), ID)
    assert "it is not the folder that was made" in state["proof"]["left"]
    assert (path / "precious").read_text() == "stays"
    _control.recorded(Machine(), ID)
    assert _control.clean(Machine(), 0, time.time() + 10)["kept"] == [ID]


def test_what_ends_before_it_reads_its_secrets_leaves_none(host: Path) -> None:
    assert _control.start(Machine(), request(host, secrets={"RESTIC_PASSWORD": SECRET}))["started"]
    assert len(os.listdir(host / "memory")) == 1
    state = _control.status(Machine(), ID)
    assert (state["code"], os.listdir(host / "memory")) == ("interrupted", [])
