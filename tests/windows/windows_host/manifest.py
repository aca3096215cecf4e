"""What Ansible sends, made into a Request: the one place that knows how ansible-core 2.19 to 2.21 wrap a module.

The script is ``bootstrap_wrapper.ps1``; its input is a JSON line with the exec wrapper, a line of four NUL characters,
a JSON line with the manifest and, for files, four NUL characters again and lines of base64. The manifest names scripts
(base64) and actions; the last action is the one that does the work. ansible-core 2.18 and older differ.
"""

from __future__ import annotations

import base64
import json
import re
import typing as t
from dataclasses import dataclass, field

_PAUSE = "\0\0\0\0"
_MODULE = "module_wrapper.ps1"
_WRAPPERS = {"become_wrapper.ps1", "async_wrapper.ps1", "async_watchdog.ps1", "coverage_wrapper.ps1", _MODULE}
# What the shell plugin and ansible.windows' _reboot.py put around a command.
_BEFORE = re.compile(r"\A\s*Set-StrictMode -Version Latest\s*")
_AFTER = re.compile(
    r";?\s*If \(-not \$\?\) \{ If \(Get-Variable LASTEXITCODE .*\} Else \{ exit 1 \} \}\s*\Z", re.DOTALL
)
_OF_COLLECTION = "ansible_collections."
_BEFORE_NAME = ".plugins.modules."


@dataclass(frozen=True)
class Background:
    """How a task is to outlive its connection."""

    folder: str
    job_id: str
    limit_s: int


@dataclass(frozen=True)
class Request:
    """What Ansible asks of a host in one exchange."""

    kind: t.Literal["module", "helper", "script", "command"]
    """A module; a script of Ansible itself, such as ``winrm_put_file.ps1``; a user's script; bare PowerShell."""
    name: str
    """The full name of a module, the name of a script, or the text of a command."""
    arguments: dict[str, t.Any] = field(default_factory=dict)
    check_mode: bool = False
    text: str = ""
    """The PowerShell of the module or script."""
    utilities: dict[str, str] = field(default_factory=dict)
    """Name and text of the module utilities that came along."""
    become: str | None = None
    background: Background | None = None
    environment: dict[str, str] = field(default_factory=dict)
    input: tuple[str, ...] = ()


class NotUnderstood(Exception):
    """What came is nothing that ansible-core 2.19 to 2.21 send."""


def decode(script: str, lines: list[str]) -> Request:
    """Make a request of a script and the lines of its input."""
    if _PAUSE not in lines:
        said = _AFTER.sub("", _BEFORE.sub("", script)).strip()
        return Request("command", said, text=said, input=tuple(lines))
    first = lines.index(_PAUSE)
    rest = lines[first + 1 :]
    last = rest.index(_PAUSE) if _PAUSE in rest else len(rest)
    try:
        wrapper = json.loads("\n".join(lines[:first]))
        manifest = json.loads("\n".join(rest[:last]))
        if not str(wrapper["name"]).startswith("exec_wrapper"):
            raise NotUnderstood(f"the input begins with {wrapper['name']!r}, not with the exec wrapper")
        actions = {str(action["name"]): dict(action["params"]) for action in manifest["actions"]}
        scripts = {name: base64.b64decode(found["script"]).decode() for name, found in manifest["scripts"].items()}
    except (ValueError, KeyError, TypeError) as exc:
        raise NotUnderstood(f"the input of the bootstrap wrapper cannot be read: {exc!r}") from exc
    given = tuple(rest[last + 1 :])
    if _MODULE in actions:
        return _module(actions, scripts, given)
    name, arguments = list(actions.items())[-1]
    if name in _WRAPPERS:
        raise NotUnderstood(f"{name} is the last action of the manifest")
    return Request("helper", name, arguments, text=scripts[name], input=given)


def _module(actions: dict[str, dict[str, t.Any]], scripts: dict[str, str], given: tuple[str, ...]) -> Request:
    told = actions[_MODULE]
    script = str(told["Script"])
    variables = {str(variable["Name"]): variable["Value"] for variable in told.get("Variables", [])}
    arguments = dict(variables.get("complex_args", {}))
    internal = {name: arguments.pop(name) for name in list(arguments) if name.startswith("_ansible_")}
    waits, watches = actions.get("async_wrapper.ps1"), actions.get("async_watchdog.ps1")
    background = (
        Background(str(waits["AsyncDir"]), str(waits["AsyncJid"]), int(watches["Timeout"]))
        if waits and watches
        else None
    )
    return Request(
        "module" if told.get("ForModule") else "script",
        _name(script),
        arguments,
        bool(internal.get("_ansible_check_mode")),
        scripts[script],
        {name: text for name, text in scripts.items() if name.endswith(".psm1")},
        actions.get("become_wrapper.ps1", {}).get("BecomeUser"),
        background,
        {str(name): str(value) for name, value in (told.get("Environment") or {}).items()},
        given,
    )


def _name(script: str) -> str:
    """``ansible_collections.ns.coll.plugins.modules.name.ps1`` is ``ns.coll.name``."""
    name = script.removesuffix(".ps1")
    if name.startswith(_OF_COLLECTION) and _BEFORE_NAME in name:
        collection, _between, module = name.removeprefix(_OF_COLLECTION).partition(_BEFORE_NAME)
        return f"{collection}.{module}"
    return name
