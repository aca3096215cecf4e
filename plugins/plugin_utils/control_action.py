# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what the actions that work on the control node alone have in common."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Callable, Mapping

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.settings import SettingsError

# In the project, and where the collection is installed: what is installed is replaced at the next upgrade.
DEFAULT_STATE_DIR = "state"
INSTALLED_STATE_DIR = "/var/lib/keepwell"


def keepwell_variables(templar: t.Any, task_vars: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return all ``keepwell_*`` variables of a host, templated, as plain values.

    Misspelt ones are included, so that they can be refused by name.
    """
    names = [str(name) for name in task_vars if str(name).startswith("keepwell_")]
    return {name: named(name, lambda name: templar.template(task_vars[name])) for name in names}


def named(name: str, read: Callable[[str], t.Any]) -> t.Any:
    """Return a variable's plain value; one that Ansible cannot give (undefined, not decryptable) is refused by name."""
    try:
        return plain(read(name))
    except AnsibleError as exc:
        raise SettingsError([f"{name}: {' '.join(str(exc).split())}"]) from exc


def plain(value: t.Any) -> t.Any:
    """Return a value without Ansible's own types and tags: mappings, lists, texts, numbers, booleans, None."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return None if value is None else str(value)


def state_dir(variables: Mapping[str, t.Any], task_vars: Mapping[str, t.Any]) -> str:
    """Return the state directory: ``keepwell_state_dir``, relative to the project; by default its ``state``.

    The project is what holds the playbooks, whether they are called by path or as ``keepwell.fleet.<name>`` through
    its link in collections/. Playbooks of an installed collection keep their state in /var/lib/keepwell.
    """
    project = os.path.dirname(os.path.realpath(str(task_vars.get("playbook_dir", "."))))
    given = variables.get("keepwell_state_dir")
    if not given and "ansible_collections" in project.split(os.sep):
        return INSTALLED_STATE_DIR
    return os.path.abspath(os.path.join(project, os.path.expanduser(str(given or DEFAULT_STATE_DIR))))


def inventory(task_vars: Mapping[str, t.Any]) -> list[str]:
    """Return the inventory sources as they were given to -i."""
    return [str(source) for source in plain(task_vars.get("ansible_inventory_sources") or [])]


class ControlAction(ActionBase):  # type: ignore[misc]
    """An action that never touches the host it runs for. Subclasses implement ``work``."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {}

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Check the arguments, do the work, and turn expected failures into one clear sentence."""
        super().run(tmp, task_vars)
        variables = task_vars or {}
        _validated, arguments = self.validate_argument_spec(self.ARGUMENTS)
        try:
            return self.work(plain(arguments), variables)
        except (SettingsError, EvidenceError) as exc:
            raise AnsibleActionFail(str(exc)) from None

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return the task's result. May raise SettingsError and EvidenceError."""
        raise NotImplementedError
