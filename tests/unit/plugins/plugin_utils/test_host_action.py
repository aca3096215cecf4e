# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where no program can be streamed, what nobody may write down goes by an option that Ansible does not log."""

from __future__ import annotations

import ast
import json
import typing as t
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError

from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_action import HostAction

SECRET = "hunter2-canary"
NOT_SENT = (
    "Data could not be sent to remote host '192.0.2.7'. Make sure this host can be reached over SSH: "
    "[Errno 32] Broken pipe"
)
MODULE = Path(__file__).parents[4] / "plugins" / "modules" / "agent.py"


class Asking(HostAction):
    """An action that notes what it would send, and for which files a module would be looked for."""

    CHORE = "backup_verification"

    def __init__(self) -> None:
        self.sent: dict[str, t.Any] = {}
        self.endings: t.Iterable[str] = ()
        self.second: Exception | None = None
        self.asked: list[str] = []
        self._connection = SimpleNamespace(module_implementation_preferences=("",), become=None)

    def run(self, tmp: t.Any = None, task_vars: t.Any = None) -> dict[str, t.Any]:
        raise NotImplementedError

    def _low_level_execute_command(self, command: str, sudoable: bool = True) -> dict[str, t.Any]:
        assert not sudoable
        self.asked.append(command)
        if self.second:
            raise self.second
        return {"rc": 0}

    def _execute_module(self, **arguments: t.Any) -> dict[str, t.Any]:
        self.sent = arguments["module_args"]
        self.endings = self._connection.module_implementation_preferences
        return {"answer": {}}


def test_secrets_are_no_part_of_the_question() -> None:
    action = Asking()
    request = {"operation": "look", "datasets": [], "secrets": {"web1/files": {"RESTIC_PASSWORD": SECRET}}}
    action._module(request, {})
    assert action.sent["secrets"] == request["secrets"]
    assert SECRET not in json.dumps({name: value for name, value in action.sent.items() if name != "secrets"})


def test_what_is_written_in_powershell_is_not_taken_for_the_module_of_other_hosts() -> None:
    action = Asking()
    action._module({"operation": "look"}, {})
    assert tuple(action.endings) == (".py",)
    assert action._connection.module_implementation_preferences == ("",)


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (
            AnsibleConnectionFailure("Failed to connect to the host via ssh: Host key verification failed."),
            "Host key verification failed.",
        ),
        (AnsibleError("no shell"), NOT_SENT),
        (None, f"the connection ended while it was used, and could be made again. {NOT_SENT}"),
    ],
)
def test_ssh_is_asked_again_where_it_ended_before_it_told_why(second: Exception | None, told: str) -> None:
    action = Asking()
    action.second = second
    assert action.silence(AnsibleConnectionFailure(NOT_SENT)) == told
    assert action.asked == [":"]


def test_what_ssh_told_is_not_asked_for_again() -> None:
    action = Asking()
    refused = AnsibleConnectionFailure("Failed to connect to the host via ssh: Connection refused")
    assert action.silence(refused) == "Connection refused"
    assert action.asked == []


def test_the_module_lets_ansible_log_no_secret() -> None:
    tree = ast.parse(MODULE.read_text(encoding="utf-8"))
    [spec] = [
        keyword.value for node in ast.walk(tree) if isinstance(node, ast.Call) for keyword in node.keywords
        if keyword.arg == "argument_spec"
    ]  # fmt: skip
    assert ast.literal_eval(ast.Dict(spec.keys[-1:], spec.values[-1:])) == {  # type: ignore[attr-defined]
        "secrets": {"type": "dict", "default": {}, "no_log": True}
    }
