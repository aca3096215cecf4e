"""The work on a host and how it is started, followed and judged, with a package manager that does as the test says."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _folder, _system, _unit
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError
from ansible_collections.keepwell.fleet.plugins.module_utils.patching import (
    _agent,
    _backends,
    _control,
    _locks,
    _space,
    _work,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine, Output

ID = "01TRANSACTION"
MOVE = {"name": "tool", "arch": "amd64", "action": "upgrade", "before": "1", "after": "2"}
GONE = {"name": "former", "arch": "amd64", "action": "remove", "before": "1", "after": None}
RETIRED = {"name": "kernel", "arch": "x86_64", "action": "retire", "before": "5", "after": None}
ITEMS = [{"name": "tool", "arch": "", "version": "2", "kind": "package"}]
BOOT = {"boot_id": "b", "pid1_started": 7}


class Backend:
    """A package manager: what it has installed, and what it answers."""

    def __init__(self) -> None:
        self.installed = {"tool:amd64": "1", "other:amd64": "1"}
        self.moves = [MOVE]
        self.errors: list[str] = []
        self.problems: list[str] = []
        self.left: list[str] = []
        self.rc = {"download": 0, "apply": 0, "undo": 0}
        self.stays: dict[str, str] = {}
        self.after: dict[str, str] | None = {"tool:amd64": "2", "other:amd64": "1"}
        self.raises: str = ""
        self.called: list[str] = []

    def refused(self, _machine: t.Any) -> str:
        return ""

    def state(self, _machine: t.Any) -> dict[str, t.Any]:
        return {"clean": not self.problems, "problems": self.problems}

    def simulate(self, _machine: t.Any, _items: t.Any) -> dict[str, t.Any]:
        return {"moves": self.moves, "errors": self.errors, "download_bytes": 1, "installed_bytes": 1}

    def versions(self, _machine: t.Any) -> dict[str, str] | None:
        return self.installed

    def keep_old(self, _commands: t.Any, moves: t.Any, folder: str) -> dict[str, t.Any]:
        self._call("keep_old")
        return {"kept": {"tool:amd64": folder + "/tool.deb"}, "missing": {}}

    def download(self, _commands: t.Any, _items: t.Any) -> Output:
        self._call("download")
        return Output("ok", self.rc["download"], "", "E: no route")

    def apply(self, _commands: t.Any, _items: t.Any) -> Output:
        self._call("apply")
        self.installed = self.after
        return Output("ok", self.rc["apply"], "", "E: it broke")

    def undo(self, _commands: t.Any, _moves: t.Any, _kept: t.Any) -> dict[str, t.Any]:
        self._call("undo")
        if self.rc["undo"] == 0:
            self.installed = {"tool:amd64": "1", "other:amd64": "1"}
        return {"rc": self.rc["undo"], "text": "nowhere to be had" if self.rc["undo"] else "", "stays": self.stays}

    def marker(self, _machine: t.Any) -> int:
        return 4

    def half_done(self, _machine: t.Any, _moves: t.Any, _text: str) -> list[str]:
        return self.left

    def config_files(self, _machine: t.Any, _text: str) -> list[str]:
        return ["/etc/old.dpkg-dist", *(["/etc/new.dpkg-dist"] if "apply" in self.called else [])]

    def _call(self, name: str) -> None:
        self.called.append(name)
        if self.raises == name:
            raise RuntimeError("a bug")


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Backend:
    """A host without systemd whose package manager is the one above; its programs are started by the tests."""
    made = Backend()
    monkeypatch.setattr(_folder, "ROOT", str(tmp_path / "keepwell"))
    monkeypatch.setattr(_folder, "LOCK", str(tmp_path / "lock"))
    monkeypatch.setattr(_backends, "find", lambda machine, name: (name, made))
    monkeypatch.setattr(_system, "identity", lambda machine: dict(BOOT))
    monkeypatch.setattr(_system, "has_systemd", lambda machine: False)
    monkeypatch.setattr(_locks, "wait", lambda *_: "")
    monkeypatch.setattr(_space, "lacking", lambda *_: [])
    monkeypatch.setattr(_unit, "start", lambda *_: None)
    return made


def request(**more: t.Any) -> dict[str, t.Any]:
    return {
        "id": ID,
        "run_id": "run",
        "client": "acme",
        "host": "web1",
        "plan_hash": "hash",
        "manager": "apt",
        "items": ITEMS,
        "moves": [MOVE],
        "program": "pass",
        **more,
    }


def start(**more: t.Any) -> dict[str, t.Any]:
    return _control.start(Machine(), request(**more))


def carried_out(**more: t.Any) -> dict[str, t.Any]:
    assert start(**more)["started"]
    _work.run(_folder.path(_control.CHORE, ID))
    return _control.status(Machine(), ID)


def forget_program() -> None:
    """As if the program had been started long ago and is no more."""
    folder = _folder.path(_control.CHORE, ID)
    state = _folder.load(folder, "state.json")
    _folder.dump(folder, "state.json", {**state, "process": {"pid": 2**22 + 1, "started": 1}})


def test_what_was_wanted_is_told_with_what_was_before(backend: Backend) -> None:
    state = carried_out()
    assert (state["phase"], state["outcome"], state["code"], state["text"]) == (
        "ended",
        "done",
        "",
        "1 package changed.",
    )
    assert state["moves_done"] == [{"name": "tool", "arch": "amd64", "before": "1", "after": "2"}]
    assert (state["before"], state["after"]) == ({"tool:amd64": "1"}, {"tool:amd64": "2"})
    assert state["config_files"] == ["/etc/new.dpkg-dist"]
    assert (state["history_id"], state["alive"]) == (4, False)
    assert state["bounded"].startswith("not bounded")


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"errors": ["tool 2 is not offered"]}, "plan_changed", "tool 2 is not offered"),
        ({"moves": [{**MOVE, "after": "3"}]}, "plan_changed", "tool would go from 1 to 3 instead of from 1 to 2"),
        ({"moves": [MOVE, {**MOVE, "name": "more"}]}, "plan_changed", "upgrade more 2 came in addition"),
        ({"moves": []}, "plan_changed", "upgrade tool 2 is gone"),
        ({"moves": [MOVE, GONE]}, "removal", "former"),
        ({"problems": ["tool: half-installed"]}, "broken_state", "tool: half-installed"),
        ({"rc": {"download": 100}}, "download_failed", "no route"),
        ({"installed": None}, "broken_state", "cannot be read"),
        ({"raises": "download"}, "internal", "a bug"),
    ],
)
def test_nothing_is_touched_unless_all_is_as_approved(
    backend: Backend, change: dict[str, t.Any], code: str, words: str
) -> None:
    vars(backend).update(change)
    state = carried_out()
    assert (state["outcome"], state["code"], words in state["text"]) == ("refused", code, True), state["text"]
    assert "apply" not in backend.called


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"left": ["tool: half-installed"]}, "half_done", "tool: half-installed"),
        ({"after": {"tool:amd64": "1", "other:amd64": "1"}}, "apply_failed", "not what was wanted: tool:amd64"),
        ({"rc": {"download": 0, "apply": 100}}, "apply_failed", "it broke"),
        ({"after": None}, "half_done", "cannot be read"),
        ({"raises": "apply"}, "internal", "a bug"),
    ],
)
def test_what_was_touched_and_is_not_as_wanted_has_failed(
    backend: Backend, change: dict[str, t.Any], code: str, words: str
) -> None:
    vars(backend).update(change)
    state = carried_out()
    assert (state["outcome"], state["code"], words in state["text"]) == ("failed", code, True), state["text"]


def test_an_old_kernel_may_be_retired(backend: Backend) -> None:
    backend.moves = [RETIRED, MOVE]
    assert carried_out(moves=[RETIRED, MOVE])["outcome"] == "done"


def test_a_kernel_beside_another_is_there(backend: Backend) -> None:
    backend.after = {"tool:amd64": "1, 2", "other:amd64": "1"}
    assert carried_out()["outcome"] == "done"


def test_only_one_works_on_a_host(backend: Backend) -> None:
    lock = _folder.Lock()
    assert lock.take("refreshing") == ""
    state = carried_out()
    lock.release()
    assert (state["outcome"], state["code"]) == ("refused", "host_locked")
    assert f"refreshing (process {os.getpid()})" in state["text"]
    assert _folder.holder() is None


def test_a_start_is_attached_to_and_another_one_refused(backend: Backend) -> None:
    assert start()["started"]
    assert start()["attached"]
    other = start(id="02TRANSACTION")
    assert (other["started"], other["code"], ID in other["text"]) == (False, "host_locked", True)
    _work.run(_folder.path(_control.CHORE, ID))
    assert start(id="02TRANSACTION")["started"]


def test_a_start_that_fails_leaves_nothing(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: t.Any) -> None:
        raise AgentError("not_started", "systemd is not well")

    monkeypatch.setattr(_unit, "start", fails)
    assert (start()["started"], start()["code"]) == (False, "not_started")
    assert _control.unfinished(Machine()) == {"transactions": []}


def test_a_program_that_died_is_judged_by_what_is_installed(backend: Backend) -> None:
    backend.raises = "apply"
    carried_out()
    folder = _folder.path(_control.CHORE, ID)
    state = _folder.load(folder, "state.json")
    _folder.dump(folder, "state.json", {**state, "phase": "applying", "outcome": None, "code": ""})
    forget_program()
    backend.installed = {"tool:amd64": "2"}
    backend.left = ["other: half-installed"]
    ended = _control.status(Machine(), ID)
    assert (ended["outcome"], ended["code"], ended["half_done"]) == ("failed", "interrupted", backend.left)
    assert [move["name"] for move in ended["moves_done"]] == ["other", "tool"]
    assert _control.status(Machine(), ID)["text"] == ended["text"]


def test_a_reboot_before_anything_was_touched_is_no_failure(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    assert start()["started"]
    monkeypatch.setattr(_system, "identity", lambda machine: {**BOOT, "pid1_started": 8})
    ended = _control.status(Machine(), ID)
    assert (ended["outcome"], ended["code"], ended["moves_done"]) == ("refused", "rebooted", [])
    assert "nothing was changed yet" in ended["text"]


def test_a_program_that_was_just_started_is_waited_for(backend: Backend) -> None:
    assert start()["started"]
    state = _control.status(Machine(), ID)
    assert (state["alive"], state["phase"]) == (True, "waiting")


def way_back() -> dict[str, t.Any]:
    started = _control.rollback(Machine(), {"id": ID, "run_id": "next", "program": "pass"})
    assert started["started"], started
    _work.run(_folder.path(_control.CHORE, started["id"]))
    return _control.status(Machine(), started["id"])


def test_a_change_is_taken_back_and_recorded_with_its_way_back(backend: Backend) -> None:
    carried_out()
    back = way_back()
    assert (back["kind"], back["outcome"], back["text"]) == ("rollback", "done", "1 package changed back.")
    assert (back["run_id"], back["moves_done"][0]["after"]) == ("next", "1")
    assert _control.recorded(Machine(), ID) == {"recorded": True}
    assert _control.unfinished(Machine()) == {"transactions": []}
    kept = _control.clean(keep_days=14)
    assert kept == {"removed": [], "kept": [ID, ID + "R"]}
    assert _control.clean(14, now=_folder.now() + 15 * 86400)["removed"] == [ID, ID + "R"]


def test_what_stays_is_named(backend: Backend) -> None:
    carried_out()
    backend.stays = {"lib:amd64": "came new and stays"}
    back = way_back()
    assert back["text"] == "1 package changed back. What stays: lib:amd64: came new and stays."


def test_a_way_back_that_was_refused_can_be_tried_again(backend: Backend) -> None:
    carried_out()
    backend.rc["undo"] = 1
    back = way_back()
    assert (back["outcome"], back["code"]) == ("refused", "no_way_back")
    assert "nowhere to be had" in back["text"]
    backend.rc["undo"] = 0
    assert way_back()["outcome"] == "done"


def test_what_changed_nothing_has_no_way_back(backend: Backend) -> None:
    backend.moves = []
    carried_out()
    with pytest.raises(AgentError, match="changed nothing"):
        _control.rollback(Machine(), {"id": ID, "run_id": "next", "program": "pass"})


def test_what_has_not_ended_cannot_be_recorded(backend: Backend) -> None:
    start()
    with pytest.raises(AgentError, match="not ended"):
        _control.recorded(Machine(), ID)


def test_the_end_is_written_on_a_full_disk(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    start()
    folder = Path(_folder.path(_control.CHORE, ID))
    real = os.fsync

    def full(descriptor: int) -> None:
        if (folder / "ballast").exists():
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(_folder.os, "fsync", full)
    _folder.dump(str(folder), "state.json", {"phase": "ended"})
    assert json.loads((folder / "state.json").read_text()) == {"phase": "ended"}


@pytest.mark.parametrize("identifier", ["", "../../etc", "a/b", "x" * 41, None])
def test_an_id_is_no_path(identifier: t.Any) -> None:
    with pytest.raises(AgentError):
        _folder.path(_control.CHORE, identifier)


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"operation": "nonsense"}, "bad_request"),
        ({"operation": "status"}, "bad_request"),
        ({"operation": "status", "id": "unknown99"}, "unknown_work"),
        ({"operation": "start", "id": ID}, "bad_request"),
        ({"operation": "restart", "units": [], "timeout_s": 1}, "no_systemd"),
    ],
)
def test_what_cannot_be_answered_is_said(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, asked: dict[str, t.Any], error: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert _agent.answer(asked)["error"] == error


def test_a_bug_is_an_answer(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setitem(_agent.OPERATIONS, "boot", lambda machine, asked: 1 // 0)
    assert _agent.answer({"operation": "boot"})["error"] == "internal"
