"""``$spec`` of a module is a literal, and says the same as the DOCUMENTATION of the Python module beside it."""

from __future__ import annotations

import ast
import typing as t
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml
from tree_sitter import Node

from powershell.source import Problem, Source, child, literal_text, of_kind, pairs, text_of

_CONSTANTS: dict[str, bool | None] = {"$true": True, "$false": False, "$null": None}
# What is compared of an option, and what holds where nothing is said.
_ABOUT: dict[str, t.Any] = {
    "type": "str",
    "required": False,
    "default": None,
    "choices": None,
    "aliases": None,
    "elements": None,
}
_SPEC_ONLY = ("no_log", "apply_defaults", "removed_in_version", "removed_from_collection")


class NotLiteralError(Exception):
    """A part of a specification has to be computed; has the node."""

    def __init__(self, node: Node) -> None:
        super().__init__(text_of(node))
        self.node = node


def value(node: Node) -> t.Any:
    """Return a literal of PowerShell as a value of Python. Raises NotLiteralError."""
    text = text_of(node)
    if node.type == "variable" and text.lower() in _CONSTANTS:
        return _CONSTANTS[text.lower()]
    if node.type == "hash_literal_expression":
        found = {}
        for key, entry, inner in pairs(node):
            if key is None or inner is None:
                raise NotLiteralError(entry)
            found[key] = value(inner)
        return found
    if node.type == "array_literal_expression":
        return [value(each) for each in node.named_children]
    if node.type == "array_expression":
        inside = child(node, "statement_list")
        return [] if inside is None else _listed([value(each) for each in inside.named_children])
    if node.type == "integer_literal":
        return int(text, 0)
    if node.type == "real_literal":
        return float(text)
    words = literal_text(node)
    if node.type == "string_literal" and words is not None:
        return words
    if node.type == "expression_with_unary_operator" and text.startswith("-"):
        return -value(node.named_children[0])
    if node.type == "expression_with_unary_operator" and text.startswith(","):
        return [value(node.named_children[0])]
    if len(node.named_children) == 1 and node.type in (
        "assignment_value", "pipeline", "pipeline_chain", "unary_expression", "parenthesized_expression",
    ):  # fmt: skip
        return value(node.named_children[0])
    raise NotLiteralError(node)


def _listed(values: list[t.Any]) -> list[t.Any]:
    """``@('a', 'b')`` holds one list, ``@('a')`` one value: both are a list."""
    return values[0] if len(values) == 1 and isinstance(values[0], list) else values


def specification(source: Source) -> Node | None:
    """Return the assignment of $spec at the top of a module."""
    found = [
        node for node in of_kind(source.root, "assignment_expression") if text_of(node.children[0]).lower() == "$spec"
    ]
    return found[0] if len(found) == 1 else None


def documentation(path: Path) -> dict[str, t.Any]:
    """Return the DOCUMENTATION of a module in Python."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "DOCUMENTATION":
            return t.cast("dict[str, t.Any]", yaml.safe_load(ast.literal_eval(node.value)))
    return {}


def check(source: Source) -> Iterator[Problem]:
    """Modules alone have one."""
    if not source.is_module:
        return
    beside = source.path.with_suffix(".py")
    if not beside.exists():
        yield source.problem(1, f"There is no {beside.name} beside it, where the documentation is. Write it.")
        return
    assignment = specification(source)
    if assignment is None:
        yield source.problem(1, "A module says once what it takes: $spec = @{ ... }, a literal.")
        return
    try:
        spec = value(assignment.children[-1])
    except NotLiteralError as exc:
        yield source.problem(
            exc.node, f"{text_of(exc.node)[:60]} in $spec is computed. Write it as a literal: others read it."
        )
        return
    document = documentation(beside)
    for text in _differ(spec.get("options") or {}, document.get("options") or {}, ""):
        yield source.problem(assignment, f"{text} in {beside.name}. Make both alike.")
    yield from _shown(source, spec, assignment)
    modes = document.get("attributes") or {}
    support = (modes.get("check_mode") or {}).get("support")
    if support is not None and (support != "none") != bool(spec.get("supports_check_mode", False)):
        yield source.problem(
            assignment, f"supports_check_mode differs from check_mode: {support} in {beside.name}. Make both alike."
        )
    for call in of_kind(source.root, "invocation_expression"):
        if text_of(call).lower().startswith("[ansible.basic.ansiblemodule]::create") and len(
            list(of_kind(call, "argument_expression"))
        ) != 2:  # fmt: skip
            yield source.problem(
                call, "Create takes $args and $spec alone: others read $spec, and nothing that is added to it."
            )


def _shown(source: Source, spec: Mapping[str, t.Any], assignment: Node) -> Iterator[Problem]:
    """Ansible.Basic hides the text of an option that is no_log; what is in a dict or a list it logs as it is."""
    for name, option in (spec.get("options") or {}).items():
        if not (option or {}).get("no_log") or option.get("type", "str") not in ("dict", "list"):
            continue
        if not spec.get("no_log"):
            yield source.problem(
                assignment,
                f"Option {name} is no_log, and a {option['type']}: what is in it goes into the host's event log. Say "
                "no_log = $true of the whole $spec.",
            )
        if "$module.result.invocation = " not in source.text.lower():
            yield source.problem(
                assignment,
                f"Option {name} is no_log, and a {option['type']}: the module's answer has what is in it. Assign "
                "$module.Result.invocation without it.",
            )


def _differ(spec: Mapping[str, t.Any], documented: Mapping[str, t.Any], of: str) -> Iterator[str]:
    for name in sorted({*spec, *documented}):
        label = f"Option {of}{name}"
        if name not in documented:
            yield f"{label} of $spec is not documented"
        elif name not in spec:
            yield f"{label} is not in $spec, but documented"
        else:
            yield from _differ_in(spec[name] or {}, documented[name] or {}, label)
            yield from _differ(
                spec[name].get("options") or {}, documented[name].get("suboptions") or {}, f"{of}{name}."
            )


def _differ_in(spec: Mapping[str, t.Any], documented: Mapping[str, t.Any], label: str) -> Iterator[str]:
    for about, usual in _ABOUT.items():
        here, there = _alike(about, spec.get(about, usual)), _alike(about, documented.get(about, usual))
        if here != there:
            yield f"{label} has {about} {here!r} in $spec and {there!r}"
    for unknown in sorted(set(spec) - set(_ABOUT) - {"options", "mutually_exclusive", "required_if", *_SPEC_ONLY}):
        yield f"{label} says {unknown} in $spec, which nobody compares"


def _alike(about: str, said: t.Any) -> t.Any:
    if about in ("choices", "aliases"):
        return sorted(str(each) for each in (said if isinstance(said, list) else [said])) if said else None
    return said
