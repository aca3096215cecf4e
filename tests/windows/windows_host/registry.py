"""Which Python function answers for which module, operation or command. Unknown ones are errors, never guesses."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

if t.TYPE_CHECKING:
    from windows_host.host import WindowsHost
    from windows_host.manifest import Request
    from windows_host.shells import Reply

Result = dict[str, t.Any]
# A probe gets the golden data of its version (empty where there is none) to write the host's state over.
Probe = t.Callable[["WindowsHost", Result], "Result | ProbeRecord"]
Module = t.Callable[["WindowsHost", "Request"], Result]
Operation = t.Callable[["WindowsHost", Result], Result]
Command = t.Callable[["WindowsHost", "re.Match[str]"], "Reply"]
Helper = t.Callable[["WindowsHost", "Request"], "Reply"]


class ModuleFailure(Exception):
    """How a model says what the module says by FailJson: a sentence, and fields of the result."""

    def __init__(self, msg: str, **result: t.Any) -> None:
        super().__init__(msg)
        self.result: Result = {"failed": True, "msg": msg, "changed": False, **result}


class Refusal(Exception):
    """How a model of an operation says what Stop-KeepwellRequest says: a stable word and a sentence."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.answer: Result = {"error": code, "text": text}


@dataclass(frozen=True)
class ProbeRecord:
    """What a model of a probe returns when there is more to say than its data."""

    data: Result
    sources: t.Mapping[str, Result] = field(default_factory=dict)
    """Name of a source to {status, detail}, as probes in PowerShell note them."""
    status: str = "ok"
    detail: str = ""


@dataclass(frozen=True)
class OperationModel:
    """An operation of a chore's agent."""

    answer: Operation
    reads: bool
    """It changes nothing, so check mode may ask for it."""


modules: dict[str, Module] = {}
probes: dict[str, Probe] = {}
operations: dict[tuple[str, str], OperationModel] = {}
commands: list[tuple[re.Pattern[str], Command]] = []
helpers: dict[str, Helper] = {}
sources: dict[str, str] = {}


def module(name: str, *, source: str) -> t.Callable[[Module], Module]:
    """Register the model of a module. It gets checked parameters in ``request.arguments`` and returns the result."""

    def register(model: Module) -> Module:
        _once(name, name in modules)
        modules[name] = model
        sources[name] = source
        return model

    return register


def operation(chore: str, name: str, *, source: str, reads: bool = False) -> t.Callable[[Operation], Operation]:
    """Register the model of an operation of ``keepwell.fleet.agent``. It gets the request and returns the answer."""

    def register(model: Operation) -> Operation:
        _once(f"{chore}/{name}", (chore, name) in operations)
        operations[chore, name] = OperationModel(model, reads)
        sources[f"{chore}/{name}"] = source
        return model

    return register


def probe(name: str, *, source: str) -> t.Callable[[Probe], Probe]:
    """Register the model of a probe of ``keepwell.fleet.assess``."""

    def register(model: Probe) -> Probe:
        _once(f"probe {name}", name in probes)
        probes[name] = model
        sources[f"probe {name}"] = source
        return model

    return register


def command(pattern: str, *, source: str) -> t.Callable[[Command], Command]:
    """Register the model of bare PowerShell, of ``raw``, ``win_shell`` and ``win_command``, by its whole text."""

    def register(model: Command) -> Command:
        commands.append((re.compile(pattern, re.DOTALL | re.IGNORECASE), model))
        sources[pattern] = source
        return model

    return register


def helper(*names: str, source: str) -> t.Callable[[Helper], Helper]:
    """Register the model of scripts that Ansible itself sends."""

    def register(model: Helper) -> Helper:
        for name in names:
            _once(name, name in helpers)
            helpers[name] = model
            sources[name] = source
        return model

    return register


def find_command(text: str) -> tuple[Command, re.Match[str]] | None:
    """The model of a command, and how it matched; None where nobody knows it."""
    for pattern, model in commands:
        if (matched := pattern.fullmatch(text.strip())) is not None:
            return model, matched
    return None


def _once(name: str, taken: bool) -> None:
    if taken:
        raise ValueError(f"{name} has a model already: there is one for each.")
