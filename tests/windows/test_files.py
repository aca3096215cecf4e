"""Files, background jobs, other users and garbage: everything between a task and its module."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from playing import play
from windows_host.host import WindowsHost
from windows_host.state import Service

FETCHED = 1_300_000


@pytest.mark.parametrize("transport", ["psrp", "winrm"])
def test_files_go_to_a_host_and_come_back(windows: t.Any, tmp_path: Path, transport: str) -> None:
    folder = tmp_path / "configuration"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "a.txt").write_text("one")
    (folder / "ü.txt").write_text("two")
    host = WindowsHost("win01")
    # More than one piece in both protocols, and not a multiple of either.
    host.files.write(r"C:\logs\big.log", bytes(range(256)) * (FETCHED // 256))
    tasks: list[dict[str, t.Any]] = [
        {"ansible.windows.win_copy": {"content": "hello", "dest": r"C:\ProgramData\hello.txt"}},
        {"ansible.windows.win_copy": {"content": "hello", "dest": r"C:\ProgramData\hello.txt"}},
        {"ansible.windows.win_copy": {"src": f"{folder}/", "dest": r"C:\ProgramData\Tree"}},
        {"ansible.windows.win_stat": {"path": r"C:\programdata\tree\INNER\a.txt"}},
        {"ansible.builtin.slurp": {"src": r"C:\ProgramData\hello.txt"}},
        {"ansible.builtin.fetch": {"src": r"C:\logs\big.log", "dest": f"{tmp_path}/", "flat": True}},
        {"ansible.windows.win_file": {"path": r"C:\ProgramData\Tree", "state": "absent"}},
    ]
    played = play(tmp_path, windows(host).inventory(transport), tasks)
    assert played.rc == 0, played.output
    assert [played.of(f"task {number}")["changed"] for number in range(3)] == [True, False, True]
    assert played.of("task 3")["stat"]["size"] == 3
    assert played.of("task 4")["content"] == "aGVsbG8="
    assert (tmp_path / "big.log").read_bytes() == host.files.read(r"C:\logs\big.log")
    assert list(host.files.below(r"C:\ProgramData")) == [r"C:\ProgramData\hello.txt"]


def test_background_jobs_other_users_services_and_tasks(windows: t.Any, tmp_path: Path) -> None:
    host = WindowsHost("win01", services={"spooler": Service("Spooler", state="stopped")})
    task = {
        "name": "Keepwell",
        "actions": [{"path": "powershell.exe"}],
        "triggers": [{"type": "daily", "start_boundary": "2026-01-01T02:00:00"}],
    }
    tasks: list[dict[str, t.Any]] = [
        {"ansible.windows.win_ping": {}, "async": 30, "poll": 1},
        {"ansible.windows.win_ping": {}, "become": True, "become_user": "SYSTEM"},
        {"ansible.windows.win_service": {"name": "spooler", "state": "started", "start_mode": "delayed"}},
        {"ansible.windows.win_service": {"name": "spooler", "state": "started"}},
        {"community.windows.win_scheduled_task": task},
        {"community.windows.win_scheduled_task": task},
        {"community.windows.win_scheduled_task_stat": {"name": "Keepwell"}},
    ]
    played = play(tmp_path, windows(host).inventory(), tasks)
    assert played.rc == 0, played.output
    assert (played.of("task 0")["ping"], played.of("task 0")["finished"]) == ("pong", True)
    assert host.called("ansible.windows.win_ping")[1].become == "SYSTEM"
    assert [played.of(f"task {number}")["changed"] for number in range(2, 6)] == [True, False, True, False]
    assert played.of("task 3")["state"] == "running"
    assert played.of("task 6")["task_exists"] is True


def test_garbage_exceptions_and_silence_are_what_ansible_makes_of_them(windows: t.Any, tmp_path: Path) -> None:
    world = windows(3)
    world["win01"].faults.garbage = frozenset({"ansible.windows.win_ping"})
    world["win02"].faults.breaks = frozenset({"ansible.windows.win_ping"})
    world["win03"].faults.no_answer = frozenset({"ansible.windows.win_ping"})
    tasks = [{"ansible.windows.win_ping": {}, "ignore_errors": True, "timeout": 3}]
    played = play(tmp_path, world.inventory(), tasks)
    assert "MODULE FAILURE" in json.dumps(played.of("task 0")) or "deserialization" in json.dumps(played.of("task 0"))
    assert played.of("task 0", "win02")["msg"].startswith("Unhandled exception while executing module")
    assert "timed out" in json.dumps(played.of("task 0", "win03")).lower()


def test_what_nobody_has_modelled_fails_loudly_and_is_on_the_list(windows: t.Any, tmp_path: Path) -> None:
    world = windows(1)
    tasks = [
        {"ansible.windows.win_hosts": {"state": "absent"}, "ignore_errors": True},
        {"ansible.windows.win_shell": "Format-Volume -DriveLetter C", "ignore_errors": True},
        {"ansible.builtin.ping": {}, "ignore_errors": True},
    ]
    played = play(tmp_path, world.inventory(), tasks)
    assert "does not know the module ansible.windows.win_hosts" in played.of("task 0")["msg"]
    assert "does not know the command" in played.of("task 1")["stderr"]
    assert played.of("task 2")["failed"]
    problems = "\n".join(world.problems())
    for what in ("win_hosts", "Format-Volume", "python"):
        assert what in problems


def test_the_spec_of_a_module_checks_its_arguments(windows: t.Any, tmp_path: Path) -> None:
    tasks = [
        {"ansible.windows.win_ping": {"date": "pong"}, "ignore_errors": True},
        {"ansible.windows.win_service": {"state": "started"}, "ignore_errors": True},
        {"ansible.windows.win_service": {"name": "Spooler", "state": "running"}, "ignore_errors": True},
        {"ansible.windows.win_stat": {"path": r"C:\Windows", "follow": "perhaps"}, "ignore_errors": True},
        {"ansible.windows.win_command": "hostname"},
        {"keepwell.fleet.agent": {"chore": "painting", "request": {"operation": "boot"}}, "ignore_errors": True},
        {"keepwell.fleet.agent": {"chore": "patching", "request": "no dictionary"}, "ignore_errors": True},
    ]
    played = play(tmp_path, windows(1).inventory(), tasks, "--check")
    said = [played.of(f"task {number}").get("msg", "") for number in range(7)]
    assert said[0] == "Unsupported parameters for (win_ping) module: date. Supported parameters include: data"
    assert said[1] == "missing required arguments: name"
    assert said[2].startswith("value of state must be one of: started, stopped, restarted, absent, paused")
    assert "unable to convert to bool" in said[3]
    assert played.of("task 4")["skipped"] is True
    assert said[5].startswith("value of chore must be one of: antivirus, backup_verification")
    assert "unable to convert to dict" in said[6]
