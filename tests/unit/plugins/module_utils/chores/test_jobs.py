"""One piece of work a host: what a killed controller left running keeps every chore off, until it has ended."""

from __future__ import annotations

import os
import signal
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _folder, _jobs, _system
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine

COLLECTIONS = Path(__file__).parents[5] / "collections"
ID, OTHER = "01EARLIERWORK", "02LATERWORK"
# As the programs of all chores are: takes the lock, runs a command, closes. Nobody waits for it.
PROGRAM = """
import os, sys
sys.path.insert(0, {collections!r})
from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _folder, _system, _work
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine
_folder.ROOT, _folder.MEMORY_ROOT, _folder.LOCK = {root!r}, {memory!r}, {lock!r}
_system.has_systemd = lambda machine: False

class Program(_work.Work):
    CHORE = {chore!r}
    def work(self):
        self.save(phase="applying")
        self.commands.run(["sleep", {seconds!r}])
        self.close("done", "", "slept")

folder = os.path.dirname(os.path.abspath(__file__))
Program(folder, _folder.load(folder, "request.json"), Machine()).run()
"""


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[t.Callable[..., dict[str, t.Any]]]:
    """Begin work of a chore on a host without systemd; what is left of it is ended afterwards."""
    places = {name: str(tmp_path / name) for name in ("root", "memory", "lock")}
    for name, value in (("ROOT", "root"), ("MEMORY_ROOT", "memory"), ("LOCK", "lock")):
        monkeypatch.setattr(_folder, name, places[value])
    monkeypatch.setattr(_system, "has_systemd", lambda machine: False)
    begun: list[tuple[str, str]] = []

    def begin(chore: str, identifier: str, seconds: str = "0") -> dict[str, t.Any]:
        program = PROGRAM.format(collections=str(COLLECTIONS), chore=chore, seconds=seconds, **places)
        limits = {"runtime_s": 60, "nice": 0}
        request = {"id": identifier, "run_id": "RUN", "client": "acme", "host": "web1", "program": program}
        begun.append((chore, identifier))
        return _jobs.begin(Machine(), chore, {**request, "limits": limits}, {})

    yield begin
    for chore, identifier in begun:
        state = _folder.load(_folder.path(chore, identifier), "state.json") or {}
        for entry in ("process", "command"):
            if _folder.is_alive(state.get(entry)):
                os.kill(state[entry]["pid"], signal.SIGKILL)


def state_when(chore: str, identifier: str, reached: t.Callable[[dict[str, t.Any]], t.Any]) -> dict[str, t.Any]:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        state = _folder.load(_folder.path(chore, identifier), "state.json")
        if state and reached(state):
            return state
        time.sleep(0.05)
    raise AssertionError(f"the moment never came: {state}")


@pytest.mark.parametrize("chore", ["patching", "antivirus", "disk_cleanup", "backup_verification"])
def test_work_that_goes_on_keeps_every_other_chore_off(begin: t.Callable[..., t.Any], chore: str) -> None:
    assert begin("patching", ID, "30")["started"]
    state_when("patching", ID, lambda state: state["command"])
    answer = begin(chore, OTHER)
    assert (answer["started"], answer["code"]) == (False, "host_locked")
    assert answer["text"] == f"Keepwell is at work on this host already: patching {ID} of run RUN."


def test_what_a_killed_program_left_running_keeps_other_chores_off_until_it_ends(begin: t.Callable[..., t.Any]) -> None:
    """The program held the lock; the package manager that it started is alive, and nobody holds the lock."""
    assert begin("patching", ID, "30")["started"]
    state = state_when("patching", ID, lambda state: state["command"])
    os.kill(state["process"]["pid"], signal.SIGKILL)
    end = time.monotonic() + 10
    while _folder.is_alive(state["process"]) and time.monotonic() < end:
        time.sleep(0.05)
    assert _folder.holder() is None
    assert _folder.is_alive(state["command"])
    assert _jobs.busy(Machine()) == f"patching {ID} of run RUN"
    answer = begin("disk_cleanup", OTHER)
    assert (answer["started"], answer["code"]) == (False, "host_locked")
    assert _folder.identifiers("disk_cleanup") == [], "nothing of what was refused is left"
    os.kill(state["command"]["pid"], signal.SIGKILL)
    end = time.monotonic() + 10
    while _folder.is_alive(state["command"]) and time.monotonic() < end:
        time.sleep(0.05)
    assert begin("disk_cleanup", OTHER)["started"]
    assert state_when("disk_cleanup", OTHER, lambda state: state["phase"] == "ended")["outcome"] == "done"
    assert _jobs.busy(Machine()) == ""


def test_work_in_memory_is_seen_by_the_others_too(begin: t.Callable[..., t.Any]) -> None:
    assert begin("disk_cleanup", ID, "30")["started"]
    state_when("disk_cleanup", ID, lambda state: state["command"])
    assert begin("patching", OTHER)["code"] == "host_locked"


def test_what_has_ended_is_in_nobodys_way(begin: t.Callable[..., t.Any]) -> None:
    assert begin("patching", ID)["started"]
    state_when("patching", ID, lambda state: state["phase"] == "ended")
    assert begin("antivirus", OTHER)["started"]
