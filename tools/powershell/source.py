"""A file of PowerShell, read and parsed, and what is said about it."""

from __future__ import annotations

import functools
import re
import typing as t
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import tree_sitter_pwsh
from tree_sitter import Language, Node, Parser

ROOT = Path(__file__).parents[2]
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LANGUAGE = Language(tree_sitter_pwsh.language())


@dataclass(frozen=True, order=True)
class Problem:
    """One sentence or two about a line: what, why, what instead."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


@dataclass
class Source:
    """A file and its syntax tree. ``name`` is its path in the project."""

    path: Path
    name: str
    data: bytes
    root: Node = field(repr=False)

    @property
    def is_module_util(self) -> bool:
        return self.path.suffix == ".psm1"

    @property
    def is_module(self) -> bool:
        """True for a module of Ansible, which has its documentation in Python beside it."""
        return self.path.suffix == ".ps1" and self.path.parent.name == "modules"

    @functools.cached_property
    def text(self) -> str:
        return self.data.decode("utf-8-sig", errors="replace")

    def problem(self, where: Node | int, text: str) -> Problem:
        line = where if isinstance(where, int) else where.start_point.row + 1
        return Problem(self.name, line, text)


def parse(path: Path, data: bytes | None = None, root: Path = ROOT) -> Source:
    """Return a file as its tree; ``data`` stands for what is on disk."""
    content = path.read_bytes() if data is None else data
    name = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
    return Source(path, name, content, Parser(_LANGUAGE).parse(content.removeprefix(BYTE_ORDER_MARK)).root_node)


def text_of(node: Node | None) -> str:
    """Return what a node covers."""
    return "" if node is None or node.text is None else node.text.decode("utf-8", errors="replace")


def walk(node: Node) -> Iterator[Node]:
    """Return the node and all below it, in the order of the text."""
    waiting = [node]
    while waiting:
        current = waiting.pop()
        yield current
        waiting.extend(reversed(current.children))


def of_kind(node: Node, *kinds: str) -> Iterator[Node]:
    """Return the nodes of these kinds at and below a node."""
    return (found for found in walk(node) if found.type in kinds)


def around(node: Node, *kinds: str) -> Node | None:
    """Return the nearest node of these kinds that a node lies in."""
    above = node.parent
    while above is not None and above.type not in kinds:
        above = above.parent
    return above


def functions(root: Node) -> dict[str, Node]:
    """Return the functions that a file defines, by name as written."""
    return {text_of(child(node, "function_name")): node for node in of_kind(root, "function_statement")}


def child(node: Node, kind: str) -> Node | None:
    """Return the first child of a kind."""
    return next((found for found in node.children if found.type == kind), None)


def parameters(block: Node) -> list[Node]:
    """Return the variables that a ``param( )`` or the brackets behind a function's name declare.

    Counted by brackets and commas: to the grammar all that follows a default is one array.
    """
    found, depth, named = [], 0, False
    waiting = [block]
    while waiting:
        node = waiting.pop()
        if node.type == "variable":
            if depth == 1 and not named:
                found.append(node)
                named = True
        elif node.children:
            waiting.extend(reversed(node.children))
        elif node.type.endswith(("(", "{", "[")):
            depth += 1
        elif node.type in (")", "}", "]"):
            depth -= 1
        elif node.type == "," and depth == 1:
            named = False
    return found


def mandatory(block: Node) -> list[str]:
    """Return the names of the parameters that have to be given."""
    whole = block.text or b""
    names, begin = [], 0
    for variable in parameters(block):
        start = variable.start_byte - block.start_byte
        said = whole[begin:start].decode("utf-8", errors="replace")
        if re.search(r"(?i)\bmandatory\b(?!\s*=\s*\$false)", said):
            names.append(text_of(variable).lstrip("$"))
        begin = start
    return names


def literal_text(node: Node | None) -> str | None:
    """Return the words of a string without anything to expand, of a bare word or a number; else None."""
    if node is None:
        return None
    while len(node.named_children) == 1 and node.type in ("unary_expression", "pipeline", "pipeline_chain"):
        node = node.named_children[0]
    text = text_of(node)
    if node.type in ("simple_name", "generic_token"):
        return text
    if node.type != "string_literal" or any(of_kind(node, "variable", "sub_expression")):
        return None
    return text[1:-1] if text[:1] in ("'", '"') else None


def pairs(hashtable: Node) -> Iterator[tuple[str | None, Node, Node | None]]:
    """Return key, entry and value of each entry of a literal hashtable; the key is None when it is computed."""
    body = child(hashtable, "hash_literal_body")
    for entry in body.children if body else ():
        if entry.type == "hash_entry":
            key = entry.named_children[0]
            value = next((found for found in entry.named_children[1:]), None)
            yield literal_text(key.named_children[0] if key.named_children else None), entry, value


Check = t.Callable[[Source], Iterator[Problem]]
