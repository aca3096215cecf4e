# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make AWX what definitions say, by the modules of awx.awx; in check mode say what differs."""

from __future__ import annotations

import os
import time
import typing as t
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from ansible.errors import AnsibleError
from ansible.plugins.loader import lookup_loader

from ansible_collections.keepwell.fleet.plugins.plugin_utils import settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.awx import kept, steps
from ansible_collections.keepwell.fleet.plugins.plugin_utils.awx.linting import place
from ansible_collections.keepwell.fleet.plugins.plugin_utils.awx.steps import Step
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import (
    ControlAction,
    keepwell_variables,
    plain,
    state_dir,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.settings import SettingsError

_ADDRESS = ("CONTROLLER_HOST", "TOWER_HOST")
_FILES = ("/etc/tower/tower_cli.cfg", "~/.tower_cli.cfg", "tower_cli.cfg")
# What is told of an object, when it is only looked at and when it is done.
_WORDS = {
    "made": ("▲ Not in AWX:", "+ Made:"),
    "changed": ("▲ Otherwise in AWX:", "~ Changed:"),
    "removed": ("▲ In AWX and not written any more:", "- Removed:"),
}


class ActionModule(ControlAction):
    """keepwell.fleet.awx_apply"""

    # Modules run on this machine, by the connection of the play's localhost.
    _requires_connection = True
    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "definitions": {"type": "dict", "required": True},
        "mark": {"type": "str", "required": True},
        "client": {"type": "str", "required": True},
        "written": {"type": "str", "required": True},
    }

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return what was made, changed and removed (in check mode: would be); stop where AWX refuses something."""
        self._need_an_address()
        definitions = arguments["definitions"]
        _need_names(definitions)
        done: dict[str, list[str]] = {what: [] for what in _WORDS}
        as_written = 0
        # In check mode nothing is there that was not there before: modules would fail on what refers to it.
        missing: set[str] = set()
        for step in steps.making(definitions):
            if step.needs & missing:
                missing.add(step.title)
                self._tell(done, "made", f"{step.told} (or otherwise: what it needs is not there)")
                continue
            result = self._call(step, task_vars, done)
            if not result.get("changed"):
                as_written += 1
            elif "id" in result or not self._task.check_mode:
                self._tell(done, "made" if "name" in result else "changed", step.told)
            else:
                missing.add(step.title)
                self._tell(done, "made", step.told)
        for step in list(steps.strays(definitions, self._owned(arguments["mark"], task_vars))):
            if self._call(step, task_vars, done).get("changed"):
                self._tell(done, "removed", step.told)
        differs = sum(map(len, done.values()))
        self._keep(arguments, task_vars, definitions, done if self._task.check_mode else {})
        conditional = "would be " if self._task.check_mode else ""
        counts = ", ".join(f"{len(found)} {conditional}{what}" for what, found in done.items() if found)
        if not differs:
            self._display.display(f"✓ AWX is as written, in {as_written} calls.")
        return {
            "changed": bool(differs),
            "made": done["made"],
            "changed_objects": done["changed"],
            "removed": done["removed"],
            "as_written": as_written,
            "msg": f"AWX: {counts or 'nothing differs'}; {as_written} as written.",
        }

    def _keep(
        self,
        arguments: dict[str, t.Any],
        task_vars: dict[str, t.Any],
        definitions: Mapping[str, list[t.Any]],
        found: Mapping[str, list[str]],
    ) -> None:
        """Keep what was found for the check of later runs, or forget it with the last object."""
        own = keepwell_variables(self._templar, task_vars)
        now, _simulated = settings.now(own, time.time())
        folder = Path(state_dir(own, task_vars)) / arguments["client"]
        objects = sum(map(len, definitions.values()))
        try:
            if objects:
                kept.keep(folder, iso(now), arguments["written"], objects, found)
            elif not self._task.check_mode:
                kept.path(folder).unlink(missing_ok=True)
        except OSError as exc:
            raise EvidenceError(f"{kept.path(folder)} cannot be written: {exc.strerror}.") from exc

    def _need_an_address(self) -> None:
        """Raise SettingsError when no AWX is named: its modules would ask this machine."""
        address = next((os.environ[name] for name in _ADDRESS if os.environ.get(name)), "")
        if not address and not any(Path(name).expanduser().exists() for name in _FILES):
            raise SettingsError(
                [
                    "No AWX is named. Put its address into CONTROLLER_HOST and a token into CONTROLLER_OAUTH_TOKEN of "
                    "the environment, or both into ~/.tower_cli.cfg."
                ]
            )
        parts = urlsplit(address)
        if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
            self._display.warning(f"{address} is not encrypted: everybody on the way can read the token.")

    def _call(self, step: Step, task_vars: dict[str, t.Any], done: dict[str, list[str]]) -> dict[str, t.Any]:
        """Call a module of awx.awx as a task would. Raises SettingsError with what AWX says."""
        result: dict[str, t.Any] = self._execute_module(
            module_name=f"awx.awx.{step.kind.module}", module_args=dict(step.arguments), task_vars=task_vars
        )
        for sentence in result.get("warnings") or ():
            self._display.warning(str(sentence))
        if not result.get("failed"):
            return result
        if "module_stderr" in result:
            lines = str(result["module_stderr"] or result.get("module_stdout")).strip().splitlines() or ["no output"]
            raise SettingsError(
                [
                    f"awx.awx.{step.kind.module} did not run (return code {result.get('rc')}): {lines[-1].strip()}. It "
                    "needs this machine's Python: see ansible_python_interpreter in playbooks/awx.yml."
                ]
            )
        response = (result.get("response") or {}).get("json") if isinstance(result.get("response"), dict) else None
        said = " ".join(f"{result.get('msg', 'no reason given')} {response or ''}".split()).rstrip(".")
        before = sum(map(len, done.values()))
        stays = f" {before} differences before it were dealt with and stay." if before else ""
        hint = "" if self._task.check_mode else f"{stays} Mend it and run again: what is as written is left alone."
        raise SettingsError([f"AWX refuses the {step.told}: {said}.{hint}"])

    def _owned(self, mark: str, task_vars: dict[str, t.Any]) -> dict[str, list[dict[str, t.Any]]]:
        """Return what AWX has with our mark, by kind. Raises SettingsError when it does not say."""
        lookup = lookup_loader.get("awx.awx.controller_api", loader=self._loader, templar=self._templar)
        found = {}
        for name in steps.REMOVED:
            endpoint = steps.KINDS[name].endpoint
            try:
                answer: Iterable[t.Any] = lookup.run(
                    [endpoint],
                    variables=task_vars,
                    query_params={"description__startswith": mark},
                    return_all=True,
                )
            except AnsibleError as exc:
                raise SettingsError([f"AWX does not tell its {endpoint}: {' '.join(str(exc).split())}"]) from exc
            found[name] = [entry for entry in plain(list(answer)) if entry.get("description", "").startswith(mark)]
        return found

    def _tell(self, done: dict[str, list[str]], what: str, text: str) -> None:
        done[what].append(text)
        looked, did = _WORDS[what]
        self._display.display(f"{looked if self._task.check_mode else did} {text}")


def _need_names(definitions: Mapping[str, t.Any]) -> None:
    """Raise SettingsError for an object without a name: a module of awx.awx would change whatever it finds first."""
    nameless = [
        place(kind, item, "name") for kind, items in definitions.items() for item in items if not item.get("name")
    ]
    if nameless:
        raise SettingsError([f"{where}: it has to be said. AWX was not asked." for where in nameless])
