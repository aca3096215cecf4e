# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How an action talks to a Windows host: what its libraries raise, what other collections do for it, signs of life."""

from __future__ import annotations

import time
import typing as t
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from requests.exceptions import ReadTimeout

from ansible_collections.keepwell.fleet.plugins.plugin_utils import host_action
from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_action import HostAction, HostError


class Asking(HostAction):
    """An action whose connection does what a test says."""

    CHORE = "patching"

    def __init__(self, raises: Exception | None = None, windows: bool = True) -> None:
        self.raises, self.resets, self.pulses = raises, 0, 0
        kinds = (".ps1", "") if windows else ("",)
        self._connection = SimpleNamespace(module_implementation_preferences=kinds, reset=self.reset, become=None)
        self._task = SimpleNamespace(copy=lambda: SimpleNamespace(action="", args={}, async_val=7))
        self._play_context = self._loader = self._templar = None
        self._shared_loader_obj = SimpleNamespace(action_loader=SimpleNamespace(get=self.get))
        self.made: dict[str, t.Any] = {}
        self.found: t.Any = SimpleNamespace(run=self.done)

    def run(self, tmp: t.Any = None, task_vars: t.Any = None) -> dict[str, t.Any]:
        raise NotImplementedError

    def reset(self) -> None:
        self.resets += 1

    def pulse(self) -> None:
        self.pulses += 1

    def _execute_module(self, **arguments: t.Any) -> dict[str, t.Any]:
        if self.raises is not None:
            raise self.raises
        return {"answer": arguments["module_args"]}

    def get(self, name: str, **more: t.Any) -> t.Any:
        self.made = {"name": name, **more}
        return self.found

    def done(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        time.sleep(0.05)
        if self.raises is not None:
            raise self.raises
        return {"changed": True}


@pytest.mark.parametrize(
    "raised",
    [
        ReadTimeout("read timed out"),
        ConnectionResetError("reset"),
        # As pypsrp does on a session that never opened.
        ValueError("invalid literal for int() with base 10: ''"),
    ],
)
def test_what_the_libraries_raise_is_a_connection_that_failed(raised: Exception) -> None:
    action = Asking(raised)
    with pytest.raises(AnsibleConnectionFailure):
        action.run_module("keepwell.fleet.agent", {}, {})
    assert action.resets == 1, "a broken session would stay broken"


def test_a_mistake_of_our_own_stays_one() -> None:
    with pytest.raises(KeyError):
        Asking(KeyError("x")).run_module("keepwell.fleet.agent", {}, {})
    action = Asking(ValueError("x"), windows=False)
    with pytest.raises(ValueError, match="x"):
        action.run_module("keepwell.fleet.agent", {}, {})
    assert action.resets == 0, "other connections are left alone"


def test_sudo_is_named_as_what_windows_does_not_have() -> None:
    action = Asking()
    action._connection.become = SimpleNamespace(name="sudo")
    with pytest.raises(AnsibleError, match="Windows has no sudo: set ansible_become: false"):
        action.run_module("keepwell.fleet.agent", {}, {})
    action._connection.become = SimpleNamespace(name="runas")
    assert action.run_module("keepwell.fleet.agent", {"chore": "patching"}, {}) == {"answer": {"chore": "patching"}}
    action = Asking(windows=False)
    action._connection.become = SimpleNamespace(name="sudo")
    assert action.run_module("keepwell.fleet.agent", {}, {}) == {"answer": {}}


def test_the_connection_is_reset_after_its_own_failure_too() -> None:
    action = Asking(AnsibleConnectionFailure("gone"))
    with pytest.raises(AnsibleConnectionFailure, match="gone"):
        action.run_module("keepwell.fleet.agent", {}, {})
    assert action.resets == 1


def test_another_collection_works_in_place_of_the_action(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_action, "_PULSE_S", 0.01)
    action = Asking()
    assert action.upstream("ansible.windows.win_updates", {"reboot": False}, {}) == {"changed": True}
    assert action.made["name"] == "ansible.windows.win_updates"
    assert action.made["connection"] is action._connection
    task = action.made["task"]
    assert (task.action, task.args, task.async_val) == ("ansible.windows.win_updates", {"reboot": False}, 0)
    assert action.pulses > 0, "it lives while it waits"
    pulses = action.pulses
    time.sleep(0.05)
    assert action.pulses == pulses, "and not afterwards"


def test_what_goes_wrong_there_is_told_as_elsewhere() -> None:
    with pytest.raises(HostError, match="no"):
        Asking(AnsibleError("no")).upstream("ansible.windows.win_updates", {}, {})
    with pytest.raises(AnsibleConnectionFailure):
        Asking(AnsibleConnectionFailure("gone")).upstream("ansible.windows.win_updates", {}, {})
    action = Asking()
    action.found = None
    with pytest.raises(HostError, match="lacks ansible"):
        action.upstream("ansible.windows.win_updates", {}, {})


def test_a_windows_host_that_is_silent_says_why_in_plain_words() -> None:
    refused = AnsibleConnectionFailure("ntlm: the specified credentials were rejected by the server")
    assert Asking().silence(refused).startswith("user name or password is wrong")
    assert Asking(windows=False).silence(refused) == str(refused)


def test_a_reset_that_fails_as_its_library_likes_ends_no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The session of a host that is down never opens: pypsrp says that by a ValueError, for as long as it is down."""
    monkeypatch.setattr(host_action, "_FIRST_PAUSE_S", 0.0)
    action = Asking()
    answers: list[t.Any] = [AnsibleConnectionFailure("down"), AnsibleConnectionFailure("down"), "up again"]

    def reset() -> None:
        raise ValueError("invalid literal for int() with base 10: ''")

    def step() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    action._connection.reset = reset
    assert action.patiently(step, 5.0) == "up again"
