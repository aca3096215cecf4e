# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/antivirus.md agrees with the product: its examples are valid, its codes exist, and none is missing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from record_codes import codes_of_scripts

from ansible_collections.keepwell.fleet.plugins.module_utils.antivirus import _allowed
from ansible_collections.keepwell.fleet.plugins.plugin_utils import plan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus import options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows import calendar

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/antivirus.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
ON_HOSTS = sorted(ROOT.glob("plugins/module_utils/antivirus/*.py"))
SOURCES = [
    *ON_HOSTS,
    *sorted(ROOT.glob("plugins/module_utils/chores/*.py")),
    *sorted(ROOT.glob("plugins/plugin_utils/antivirus/*.py")),
    *sorted(ROOT.glob("plugins/plugin_utils/chores/*.py")),
    *sorted(ROOT.glob("plugins/action/antivirus_*.py")),
]
# Errors of a question to the host, told as text: they never become the code of a record.
ANSWERS = {"bad_request", "not_ended", "unknown_work", "not_supported", "needs_root", "host_error"}
# What is said when a code is missing; no code path leaves it out.
FALLBACKS = {"failed"}


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


def _calls(paths: list[Path], names: dict[str, int]) -> set[str]:
    """Words that are an argument by position of these calls."""
    found: set[str] = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                at = names.get(getattr(node.func, "id", getattr(node.func, "attr", "")))
                if at is not None and len(node.args) > at:
                    found.update(_words(node.args[at]))
    return found


def _told_by_key(paths: list[Path]) -> set[str]:
    """Words behind "code" in mappings, keywords, and what is assigned to it."""
    found: set[str] = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Dict):
                pairs = zip(node.keys, node.values, strict=True)
                for key, value in pairs:
                    if isinstance(key, ast.Constant) and key.value == "code":
                        found.update(_words(value))
            elif isinstance(node, ast.keyword) and node.arg == "code":
                found.update(_words(node.value))
            elif isinstance(node, ast.Assign):
                for target in node.targets:
                    parts = (
                        zip(target.elts, node.value.elts, strict=True)
                        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
                        else [(target, node.value)]
                    )
                    for left, right in parts:
                        if getattr(left, "attr", "") == "code":
                            found.update(_words(right))
    return found


def _planned() -> set[str]:
    """The codes of planned steps: the second of what the functions of planning.py return."""
    tree = ast.parse((ROOT / "plugins/plugin_utils/antivirus/planning.py").read_text(encoding="utf-8"))
    return {
        word
        for node in ast.walk(tree)
        if isinstance(node, ast.Tuple) and len(node.elts) == 2
        for word in _words(node.elts[1])
        if "_" in word
    }


def _first_column(head: str) -> set[str]:
    """The words in backquotes in the first column of the table with this head."""
    rows = PAGE.split(head, 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return {word for row in rows for word in re.findall(r"`([a-z_]+)`", row.split("|")[1])}


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_readers_of_the_product_take_every_example(text: str) -> None:
    content = yaml.safe_load(text)
    own = {name: value for name, value in content.items() if name.startswith("antivirus_")}
    options.read(own)
    others = {name: value for name, value in content.items() if name not in own}
    if "keepwell_windows" in others:
        built, problems = calendar.build({"keepwell_windows": others.pop("keepwell_windows")}, "Europe/Amsterdam")
        assert built.windows and not problems
    if "keepwell_plan" in others:
        service_plan, problems = plan.build(others.pop("keepwell_plan"))
        assert service_plan is not None and not problems
    assert not others, "an example that no reader looks at"


def test_the_page_has_every_code_of_a_record() -> None:
    codes = _calls(SOURCES, {"Stop": 1, "AgentError": 0, "close": 1, "_give_up": 1})
    codes |= _told_by_key(SOURCES) | _planned() | codes_of_scripts("antivirus", "chores")
    assert _first_column("| code | outcome |") == codes - ANSWERS - FALLBACKS


def test_the_page_has_every_reason_to_leave_a_file() -> None:
    reasons = _calls(ON_HOSTS, {"Refused": 0, "left": 1}) | {entry[0] for entry in _allowed._NEVER}
    tree = ast.parse((ROOT / "plugins/module_utils/antivirus/_allowed.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            reasons.update(_words(node.value.elts[0]))
    # Said by a loop over (code, why).
    reasons |= {"package", "in_use"}
    assert _first_column("| left because |") == reasons - {"in_the_way"}, "in_the_way is of a restore alone"


def test_the_page_names_every_folder_that_is_safe() -> None:
    for folder in _allowed.SAFE_ROOTS:
        assert f"`{folder}`" in PAGE
