"""Every command, parameter and class that is named exists on every system that is served, by its full name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tree_sitter import Node

from powershell import requires
from powershell.allowed import Allowed
from powershell.source import (
    ROOT,
    Problem,
    Source,
    around,
    child,
    functions,
    literal_text,
    mandatory,
    of_kind,
    pairs,
    parameters,
    text_of,
)
from powershell.tables import System

SAY = "say in tools/powershell/allowed.yml why it is right"
REFUSED = {
    "write-host": "nobody reads a console here. Put it into the module's result",
    "write-output": "what a script writes ends up in Ansible's answer. Use return, or the module's result",
    "out-host": "nobody reads a console here. Put it into the module's result",
    "out-default": "nobody reads a console here. Put it into the module's result",
    "read-host": "nobody answers. Take an option of the module",
    "invoke-expression": "text is no code. Call the command with & and an array of arguments",
    "get-wmiobject": "it is gone from PowerShell 7 and needs DCOM. Use Get-CimInstance",
    "invoke-wmimethod": "it is gone from PowerShell 7 and needs DCOM. Use Invoke-CimMethod",
    "set-wmiinstance": "it is gone from PowerShell 7 and needs DCOM. Use Set-CimInstance",
    "remove-wmiobject": "it is gone from PowerShell 7 and needs DCOM. Use Remove-CimInstance",
    "register-wmievent": "it is gone from PowerShell 7 and needs DCOM. Use Register-CimIndicationEvent",
}
_COMMON = (
    "verbose", "debug", "erroraction", "warningaction", "informationaction", "errorvariable", "warningvariable",
    "informationvariable", "outvariable", "outbuffer", "pipelinevariable",
)  # fmt: skip
_PLAIN_CLASS = re.compile(r"^\[?([A-Za-z_][\w.]*)(?:\[[\],]*\])?\]?$")
# The grammar takes these for commands: words after a comment, and ranges such as 1..10.
_NO_COMMAND = re.compile(r"else|elseif|catch|finally|\d+\.\.\d+", re.I)


@dataclass
class Commands:
    """The check with its lists; ``systems`` is empty where the lists could not be had."""

    systems: list[System]
    allowed: Allowed
    root: Path = ROOT
    _known: dict[str, dict[str, str] | None] = field(default_factory=dict)

    def check(self, source: Source) -> Iterator[Problem]:
        """All commands of a file, and what is passed to them."""
        own = {name.lower(): node for name, node in functions(source.root).items()}
        own = {**requires.provided(source, self.root), **own}
        for node in of_kind(source.root, "command"):
            name = self._name(node)
            if name and not _NO_COMMAND.fullmatch(name):
                yield from self._command(source, node, name, own)
        if self.systems:
            yield from self._classes(source)

    @staticmethod
    def _name(node: Node) -> str | None:
        """Return what is called, or None when a variable says it."""
        name = node.child_by_field_name("command_name")
        if name is None or any(of_kind(name, "variable", "parenthesized_expression", "script_block_expression")):
            return None
        return text_of(name).strip("'\"")

    def _command(self, source: Source, node: Node, name: str, own: dict[str, Node]) -> Iterator[Problem]:
        lower = name.lower()
        if lower in REFUSED:
            yield source.problem(node, f"{name} is refused: {REFUSED[lower]}.")
            return
        if lower in own:
            yield from self._own_parameters(source, node, name, own[lower])
            return
        if not self.systems:
            return
        if lower.endswith((".exe", ".com", ".cmd", ".bat")) or "\\" in lower:
            yield from self._program(source, node, name)
            return
        alias = next((system.aliases[lower] for system in self.systems if lower in system.aliases), None)
        if alias:
            yield source.problem(node, f"{name} is an alias, and anyone may change those. Write {alias}.")
            return
        lacking = [system.name for system in self.systems if lower not in system.commands]
        if lower not in self.allowed.commands and lacking:
            if any(f"{lower}.exe" in system.programs for system in self.systems):
                yield source.problem(
                    node, f"{name} is a program: an alias or function of this name would run instead. Write {name}.exe."
                )
            else:
                yield source.problem(
                    node, f"{' and '.join(lacking)} {_has(lacking)} no command {name}. {self._near(lower)}"
                )
            return
        yield from self._parameters(source, node, name)

    def _near(self, lower: str) -> str:
        names = sorted({each.name for system in self.systems for each in system.commands.values()})
        near = difflib.get_close_matches(lower, [each.lower() for each in names], n=1, cutoff=0.85)
        if near:
            return f"Is it {next(each for each in names if each.lower() == near[0])}?"
        return f"Use one that every system has, name the module util that brings it with #AnsibleRequires, or {SAY}."

    def _program(self, source: Source, node: Node, name: str) -> Iterator[Problem]:
        program = name.rsplit("\\", 1)[-1].lower()
        lacking = [system.name for system in self.systems if program not in system.programs]
        if lacking and program not in self.allowed.programs:
            yield source.problem(
                node,
                f"{' and '.join(lacking)} {_has(lacking)} no program {program}. Use another, or {SAY}.",
            )

    def _parameters(self, source: Source, node: Node, name: str) -> Iterator[Problem]:
        lower = name.lower()
        more = self.allowed.commands.get(lower, frozenset())
        for where, written in _passed(source, node):
            key = written.lower()
            if key in more:
                continue
            for system in self.systems:
                command = system.commands.get(lower)
                known = command.parameters if command else {each: each for each in _COMMON}
                if key in known:
                    continue
                if command and key in command.aliases:
                    yield source.problem(
                        where, f"-{written} is short for -{command.aliases[key]} of {name}. Write that."
                    )
                    break
                whole = [full for each, full in known.items() if each.startswith(key)]
                if len(whole) == 1:
                    yield source.problem(
                        where, f"-{written} is cut short: a newer system may have two of them. Write -{whole[0]}."
                    )
                    break
                yield source.problem(
                    where,
                    f"{name} has no parameter -{written} on {system.name}. Use one that it has there, or {SAY}.",
                )
                break

    @staticmethod
    def _own_parameters(source: Source, node: Node, name: str, function: Node) -> Iterator[Problem]:
        names, common = parameters_of(function)
        known = {each.lower() for each in names} | (set(_COMMON) if common else set())
        if not names and not common and any(text_of(each).lower() == "$args" for each in of_kind(function, "variable")):
            return
        for where, written in _passed(source, node):
            if written.lower() not in known:
                has = ", ".join(f"-{each}" for each in names) or "none"
                yield source.problem(where, f"{name} has no parameter -{written}; it has {has}. Use one of these.")
        given = {written.lower() for _where, written in _passed(source, node)}
        lacking = [each for each in _mandatory(function) if each.lower() not in given]
        if lacking and not _has_unnamed(node):
            missing = ", ".join(f"-{each}" for each in lacking)
            yield source.problem(node, f"{name} needs {missing}, and nobody is there to be asked for it. Give it.")

    def _classes(self, source: Source) -> Iterator[Problem]:
        for node in of_kind(source.root, "type_literal"):
            found = _PLAIN_CLASS.match(text_of(node).replace(" ", ""))
            if not found or (around(node, "attribute") is not None and not self._is_class(found[1])):
                continue
            member = _static_member(node)
            yield from self._class(source, node, found[1], member)
        for node in of_kind(source.root, "command"):
            if (self._name(node) or "").lower() != "new-object":
                continue
            for where, written in _passed(source, node):
                if written.lower() == "typename":
                    value = literal_text(_argument(where))
                    found = _PLAIN_CLASS.match(value or "")
                    if found:
                        yield from self._class(source, where, found[1], "new")

    def _is_class(self, name: str) -> bool:
        return any(_class_key(system, name) for system in self.systems) or "." in name

    def _class(self, source: Source, node: Node, name: str, member: str | None) -> Iterator[Problem]:
        if name.lower() in self.allowed.classes:
            return
        for system in self.systems:
            key = _class_key(system, name)
            if key is None:
                yield source.problem(
                    node,
                    f"{system.name} has no class {name}. Use one that it has, or {SAY}.",
                )
                return
            # Structures have a constructor that nobody wrote.
            if (
                member
                and member.lower() != "new"
                and member.lower() not in system.classes[key]
                and member.lower() not in ("equals", "referenceequals")
            ):
                yield source.problem(node, f"[{name}] has no ::{member} on {system.name}. Use one that it has there.")
                return


def _has(names: list[str]) -> str:
    return "have" if len(names) > 1 else "has"


def _class_key(system: System, name: str) -> str | None:
    lower = name.lower()
    return next((each for each in (lower, f"system.{lower}") if each in system.classes), None)


def _static_member(node: Node) -> str | None:
    """Return the member in ``[class]::member``."""
    after = node.next_sibling
    if after is None or after.type != "::":
        return None
    return literal_text(after.next_sibling and child(after.next_sibling, "simple_name"))


def _argument(parameter: Node) -> Node | None:
    """Return what stands behind a parameter."""
    after = parameter.next_named_sibling
    if after is not None and after.type == "command_argument_sep":
        after = after.next_named_sibling
    return after


def _passed(source: Source, command: Node) -> Iterator[tuple[Node, str]]:
    """Return each parameter that a command is given, where it stands; those of a splatted hashtable as well."""
    elements = command.child_by_field_name("command_elements")
    for node in elements.children if elements else ():
        if node.type == "command_parameter":
            yield node, text_of(node).removeprefix("-").rstrip(":")
        elif node.type == "unary_expression" and text_of(node).startswith("@") and text_of(node)[1:2].isalpha():
            yield from _splatted(source, command, text_of(node)[1:])


def _splatted(source: Source, command: Node, name: str) -> Iterator[tuple[Node, str]]:
    """Return what literal hashtables and single entries say that are assigned to a variable in the same function."""
    scope = around(command, "function_statement") or source.root
    variable = f"${name}".lower()
    for node in of_kind(scope, "assignment_expression"):
        target = text_of(node.children[0]).lower()
        if target == variable:
            hashtable = next(of_kind(node, "hash_literal_expression"), None)
            for key, entry, _value in pairs(hashtable) if hashtable else ():
                if key:
                    yield entry, key
        elif target.startswith((f"{variable}.", f"{variable}[")):
            found = re.fullmatch(r"(?:\.(\w+)|\[['\"](\w+)['\"]\])", text_of(node.children[0])[len(variable) :])
            if found:
                yield node, found[1] or found[2]


def _has_unnamed(command: Node) -> bool:
    """True when something may be given that no name stands before: by its place, a pipeline or a hashtable."""
    chain = command.parent
    if chain is not None and chain.type == "pipeline_chain" and chain.named_children[0] != command:
        return True
    elements = command.child_by_field_name("command_elements")
    named = False
    for node in elements.named_children if elements else ():
        if node.type in ("command_argument_sep", "redirection", "redirections"):
            continue
        if node.type == "command_parameter":
            named = True
        elif not named or text_of(node).startswith("@"):
            return True
        else:
            named = False
    return False


def _mandatory(function: Node) -> list[str]:
    block = _parameter_block(function)
    return [] if block is None else mandatory(block)


def _parameter_block(function: Node) -> Node | None:
    body = child(function, "script_block")
    return child(function, "function_parameter_declaration") or (child(body, "param_block") if body else None)


def parameters_of(function: Node) -> tuple[list[str], bool]:
    """Return the parameters of a function and whether it takes those that all commands have."""
    block = _parameter_block(function)
    if block is None:
        return [], False
    names = [text_of(variable).lstrip("$") for variable in parameters(block)]
    said = text_of(block).lower()
    return names, "cmdletbinding" in said or "[parameter" in said
