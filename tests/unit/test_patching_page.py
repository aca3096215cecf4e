# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/patching.md agrees with the product: its examples are valid, its codes exist, and none is missing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from ansible_collections.keepwell.fleet.plugins.plugin_utils import plan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows import calendar

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/patching.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SOURCES = sorted(
    [
        *ROOT.glob("plugins/action/patch_*.py"),
        *ROOT.glob("plugins/plugin_utils/chores/*.py"),
        *ROOT.glob("plugins/module_utils/chores/*.py"),
        *ROOT.glob("plugins/plugin_utils/patching/*.py"),
        *ROOT.glob("plugins/module_utils/patching/*.py"),
    ]
)
# Where a code is an argument by position: the name that is called, and which argument.
POSITIONS = {"Stop": 1, "Decision": 1, "AgentError": 0, "_clear": 1, "close": 1, "_give_up": 1}
# Errors of a question to the host, told as text: they never become the code of a record.
ANSWERS = {
    "bad_request", "no_manager", "no_reboot", "no_systemd", "not_ended", "nothing_to_undo", "unknown_work",
}  # fmt: skip
# Facts that stand against a reboot alone: the record names them in its text.
AGAINST_A_REBOOT = {"users", "fsck", "luks_at_boot", "pacemaker"}
# What is said when a code is missing; no code path leaves it out.
FALLBACKS = {"failed", "preflight"}


def _words(node: ast.AST | None) -> Iterator[str]:
    """Every code that an expression can be."""
    if isinstance(node, ast.IfExp):
        yield from _words(node.body)
        yield from _words(node.orelse)
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from _words(value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"[a-z_]+", node.value):
        yield node.value


def _codes_of(node: ast.AST) -> Iterator[str]:
    """The codes that one node of the source brings."""
    if isinstance(node, ast.Call):
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        at = POSITIONS.get(name)
        if at is not None and len(node.args) > at:
            yield from _words(node.args[at])
        for keyword in node.keywords:
            if keyword.arg == "code":
                yield from _words(keyword.value)
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            pairs = (
                zip(target.elts, node.value.elts, strict=True)
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
                else [(target, node.value)]
            )
            for left, right in pairs:
                if getattr(left, "id", getattr(left, "attr", "")) == "code":
                    yield from _words(right)
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == "code":
                yield from _words(value)
    elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple) and len(node.value.elts) == 3:
        # (outcome, code, text) of _outcome.py
        first, second, _text = node.value.elts
        if isinstance(first, ast.Constant) and first.value in ("failed", "refused"):
            yield from _words(second)


def _codes() -> set[str]:
    found: set[str] = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            found.update(_codes_of(node))
    return found - ANSWERS - AGAINST_A_REBOOT - FALLBACKS


def _left_out() -> set[str]:
    """The codes of Withheld: the keys of _HELD, and the first of (code, sentence, until) in selection.py."""
    tree = ast.parse((ROOT / "plugins/plugin_utils/patching/selection.py").read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "_HELD":
            assert isinstance(node.value, ast.Dict)
            found.update(word for key in node.value.keys for word in _words(key))
        elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple) and len(node.value.elts) == 3:
            found.update(_words(node.value.elts[0]))
    return found


def _first_column(head: str) -> set[str]:
    """The words in backquotes in the first column of the table with this head."""
    table = PAGE.split(head, 1)[1].split("\n\n", 1)[0]
    return {word for row in table.splitlines()[2:] for word in re.findall(r"`([a-z_]+)`", row.split("|")[1])}


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_readers_of_the_product_take_every_example(text: str) -> None:
    content = yaml.safe_load(text)
    patching = {name: value for name, value in content.items() if name.startswith("patching_")}
    options.read(patching)
    others = {name: value for name, value in content.items() if name not in patching}
    if "keepwell_windows" in others:
        built, problems = calendar.build({"keepwell_windows": others.pop("keepwell_windows")}, "Europe/Amsterdam")
        assert built.windows and not problems
    if "keepwell_plan" in others:
        service_plan, problems = plan.build(others.pop("keepwell_plan"))
        assert service_plan is not None and not problems
    assert not others, "an example that no reader looks at"


def test_the_page_has_every_code_of_a_record() -> None:
    assert _first_column("| code | outcome |") == _codes()


def test_the_page_has_every_reason_to_leave_an_update_out() -> None:
    assert _first_column("| left out by |") == _left_out()
