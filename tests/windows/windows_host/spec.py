"""The ``$spec`` of a module, read out of the PowerShell that arrived: what the real module would check its arguments by."""

from __future__ import annotations

import functools
import typing as t

import tree_sitter
import tree_sitter_pwsh

_PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_pwsh.language()))
_CONSTANTS: dict[str, object] = {"$true": True, "$false": False, "$null": None}


class NotLiteral(Exception):
    """A table that has to be a literal, and is none."""


class Opaque(str):
    """What only PowerShell itself could tell, such as ``$uint32Type``: its text. Specs that are not ours have some."""


@functools.lru_cache(maxsize=256)
def read(text: str) -> dict[str, t.Any] | None:
    """The value of ``$spec``; None where a module has none, or none that is a table."""
    found = _assigned(text, "$spec")
    value = _value(found) if found is not None else None
    return value if isinstance(value, dict) else None


def opaque(value: object) -> list[str]:
    """Variables in a ``$spec``: a module of this project has none."""
    if isinstance(value, Opaque):
        return [str(value)]
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [name for item in below for name in opaque(item)]


@functools.lru_cache(maxsize=256)
def keys(text: str, variable: str) -> frozenset[str]:
    """The keys of a hash table: of ``$agents`` the chores that Windows hosts have."""
    found = _assigned(text, variable)
    return frozenset(_key(entry) for entry in _entries(found)) if found is not None else frozenset()


@functools.lru_cache(maxsize=64)
def probes(text: str) -> dict[str, str]:
    """``$probes`` of assess.ps1: what Windows hosts look at, and the function that collects it."""
    found = _assigned(text, "$probes")
    value = _value(found) if found is not None else None
    return {name: str(told.get("collect")) for name, told in value.items()} if isinstance(value, dict) else {}


class Shape(t.NamedTuple):
    """The keys of a document, and those of its parts that functions of the same file make."""

    keys: frozenset[str]
    parts: dict[str, frozenset[str]]


@functools.lru_cache(maxsize=256)
def shape(text: str, function: str) -> Shape | None:
    """What a function returns, as far as it is written down as a hashtable; None where it is not."""
    table = _returned(text, function)
    if table is None:
        return None
    parts = {}
    for entry in _entries(table):
        called = next(_walk(entry.named_children[-1], "command_name"), None)
        inner = _returned(text, _text(called)) if called is not None else None
        if inner is not None:
            parts[_key(entry)] = frozenset(map(_key, _entries(inner)))
    return Shape(frozenset(map(_key, _entries(table))), parts)


def _returned(text: str, function: str) -> tree_sitter.Node | None:
    """The last ``return @{ ... }`` of a function."""
    for node in _walk(_PARSER.parse(text.encode()).root_node, "function_statement"):
        if any(_text(child) == function for child in node.named_children if child.type == "function_name"):
            found = [
                statement
                for statement in _walk(node, "flow_control_statement")
                if _text(statement).startswith("return @{") and _text(statement).endswith("}")
            ]
            return found[-1] if found else None
    return None


class Operations(t.NamedTuple):
    """What the hashtable of a chore's agent.psm1 says (answer.psm1 describes it)."""

    names: frozenset[str]
    needed: dict[str, t.Any]
    reading: frozenset[str]


@functools.lru_cache(maxsize=64)
def operations(text: str) -> Operations:
    """Read an agent.psm1; raise NotLiteral where its tables are none."""
    tables: dict[str, tree_sitter.Node] = {}
    for node in _walk(_PARSER.parse(text.encode()).root_node, "hash_entry"):
        tables.setdefault(_key(node), node.named_children[-1])
    lacking = [name for name in ("operations", "needed", "reading") if name not in tables]
    if lacking:
        raise NotLiteral(f"there is no entry {lacking[0]}")
    needed, reading = _value(tables["needed"]), _value(tables["reading"])
    if opaque(needed) or opaque(reading):
        raise NotLiteral(", ".join(opaque(needed) + opaque(reading)))
    return Operations(
        frozenset(_key(entry) for entry in _entries(tables["operations"])),
        needed if isinstance(needed, dict) else {},
        frozenset(str(name) for name in (reading if isinstance(reading, list) else [reading])),
    )


@functools.lru_cache(maxsize=256)
def merges(text: str) -> bool:
    """Whether the module is created with a third argument: options that come from a shared fragment."""
    return any(
        node.text is not None and b"AnsibleModule]::Create" in node.text and node.text.count(b",") > 1
        for node in _walk(_PARSER.parse(text.encode()).root_node, "invocation_expression")
    )


def _assigned(text: str, variable: str) -> tree_sitter.Node | None:
    for node in _walk(_PARSER.parse(text.encode()).root_node, "assignment_expression"):
        if _text(node.named_children[0]).lower() == variable:
            return node.named_children[-1]
    return None


def _walk(node: tree_sitter.Node, kind: str) -> t.Iterator[tree_sitter.Node]:
    if node.type == kind:
        yield node
    for child in node.named_children:
        yield from _walk(child, kind)


def _value(node: tree_sitter.Node) -> object:
    """Make Python of a literal."""
    children = [child for child in node.named_children if child.type != "comment"]
    if node.type == "hash_literal_expression":
        return {_key(entry): _value(entry.named_children[-1]) for entry in _entries(node)}
    if node.type == "array_literal_expression":
        return [_value(child) for child in children]
    if node.type == "array_expression":
        return _array(node)
    if node.type == "string_literal":
        text = _text(node)
        return Opaque(text) if text.startswith('"') and "$" in text else _string(text)
    if node.type == "integer_literal":
        return int(_text(node), 0)
    if node.type == "real_literal":
        return float(_text(node))
    if node.type == "variable":
        return _CONSTANTS.get(_text(node).lower(), Opaque(_text(node)))
    if node.type == "expression_with_unary_operator" and len(children) == 1:
        return _signed(_text(node), _value(children[0]))
    if len(children) == 1:
        return _value(children[0])
    return Opaque(_text(node))


def _signed(text: str, value: object) -> object:
    if text.startswith(","):
        return [value]
    if text.startswith("-") and isinstance(value, int | float):
        return -value
    return Opaque(text)


def _array(node: tree_sitter.Node) -> list[object]:
    """``@(a, b)`` is the list of what its statements give; a statement that gives a list is spread."""
    statements = [child for body in node.named_children for child in body.named_children if child.type != "comment"]
    out: list[object] = []
    for statement in statements:
        value = _value(statement)
        out += value if isinstance(value, list) else [value]
    return out


def _entries(node: tree_sitter.Node) -> list[tree_sitter.Node]:
    """The entries of a hash table, which lies somewhere below the node."""
    tables = list(_walk(node, "hash_literal_expression"))
    bodies = tables[0].named_children if tables else []
    return [child for body in bodies for child in body.named_children if child.type == "hash_entry"]


def _key(entry: tree_sitter.Node) -> str:
    return _string(_text(entry.named_children[0]))


def _string(text: str) -> str:
    if text[:1] in "'\"" and text[-1:] == text[:1]:
        return text[1:-1].replace(text[0] * 2, text[0])
    return text


def _text(node: tree_sitter.Node) -> str:
    return (node.text or b"").decode()
