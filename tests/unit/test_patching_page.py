# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/patching.md agrees with the product: its examples are valid, its codes exist, and none is missing."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml
from record_codes import codes_in, first_column, words

from ansible_collections.keepwell.fleet.plugins.plugin_utils import plan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows import calendar
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import options

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/patching.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SOURCES = sorted(
    [
        *ROOT.glob("plugins/action/patch_*.py"),
        *ROOT.glob("plugins/plugin_utils/chores/*.py"),
        *ROOT.glob("plugins/module_utils/chores/*.py"),
        *ROOT.glob("plugins/plugin_utils/patching/**/*.py"),
        *ROOT.glob("plugins/module_utils/patching/*.py"),
    ]
)
# Errors of a question to the host, told as text: they never become the code of a record.
ANSWERS = {
    "bad_request", "no_manager", "no_reboot", "no_systemd", "not_ended", "nothing_to_undo", "unknown_work",
}  # fmt: skip
# Facts that stand against a reboot alone: the record names them in its text.
AGAINST_A_REBOOT = {"users", "fsck", "luks_at_boot", "pacemaker", "cluster"}
# What is said when a code is missing; no code path leaves it out.
FALLBACKS = {"failed", "preflight"}


def _left_out() -> set[str]:
    """The codes of Withheld: the keys of _HELD, and the first of (code, sentence, until) in selection.py."""
    tree = ast.parse((ROOT / "plugins/plugin_utils/patching/selection.py").read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "_HELD":
            assert isinstance(node.value, ast.Dict)
            found.update(word for key in node.value.keys for word in words(key))
        elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple) and len(node.value.elts) == 3:
            found.update(words(node.value.elts[0]))
    windows = ast.parse((ROOT / "plugins/plugin_utils/patching/wua/choosing.py").read_text(encoding="utf-8"))
    for node in ast.walk(windows):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            found.update(words(node.value.elts[0]))
    return found


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
    told = codes_in(SOURCES) - ANSWERS - AGAINST_A_REBOOT - FALLBACKS
    assert first_column(PAGE, "| code | outcome |") == told


def test_the_page_has_every_reason_to_leave_an_update_out() -> None:
    assert first_column(PAGE, "| left out by |") == _left_out()
