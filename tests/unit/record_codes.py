# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find in the source which codes a change record can have: for tests of the pages that explain them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

# Where a code is an argument by position: the name that is called, and which argument.
POSITIONS = {"Stop": 1, "Decision": 1, "AgentError": 0, "_clear": 1, "close": 1, "_give_up": 1}


def words(node: ast.AST | None) -> Iterator[str]:
    """Every code that an expression can be."""
    if isinstance(node, ast.IfExp):
        yield from words(node.body)
        yield from words(node.orelse)
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from words(value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"[a-z_]+", node.value):
        yield node.value


def codes_of(node: ast.AST) -> Iterator[str]:
    """The codes that one node of the source brings."""
    if isinstance(node, ast.Call):
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        at = POSITIONS.get(name)
        if at is not None and len(node.args) > at:
            yield from words(node.args[at])
        for keyword in node.keywords:
            if keyword.arg == "code":
                yield from words(keyword.value)
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            pairs = (
                zip(target.elts, node.value.elts, strict=True)
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
                else [(target, node.value)]
            )
            for left, right in pairs:
                if getattr(left, "id", getattr(left, "attr", "")) == "code":
                    yield from words(right)
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == "code":
                yield from words(value)
    elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple) and len(node.value.elts) == 3:
        # (outcome, code, text) of _outcome.py
        first, second, _text = node.value.elts
        if isinstance(first, ast.Constant) and first.value in ("failed", "refused"):
            yield from words(second)


def codes_in(paths: Iterable[Path]) -> set[str]:
    """All codes that these files bring."""
    found: set[str] = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            found.update(codes_of(node))
    return found


def codes_of_scripts(*folders: str) -> set[str]:
    """All codes that the PowerShell of these folders of module_utils brings."""
    found: set[str] = set()
    for folder in folders:
        for path in (Path(__file__).parents[2] / "plugins/module_utils" / folder).glob("*.psm1"):
            text = path.read_text(encoding="utf-8")
            found.update(re.findall(r"-Code '([a-z_]+)'", text))
            found.update(re.findall(r"\bcode = '([a-z_]+)'", text))
    return found


def first_column(page: str, head: str) -> set[str]:
    """The words in backquotes in the first column of the table with this head."""
    table = page.split(head, 1)[1].split("\n\n", 1)[0]
    return {word for row in table.splitlines()[2:] for word in re.findall(r"`([a-z_]+)`", row.split("|")[1])}
