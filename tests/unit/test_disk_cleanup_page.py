# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/disk-cleanup.md agrees with the product: its rules, its examples, its codes and its reasons."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup import _rules
from ansible_collections.keepwell.fleet.plugins.plugin_utils import plan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup import options, systems
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows import calendar

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/disk-cleanup.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
ON_HOSTS = ROOT / "plugins/module_utils/disk_cleanup"
SOURCES = {
    f"{path.parent.name}/{path.name}": path.read_text(encoding="utf-8")
    for path in [
        *ON_HOSTS.glob("*.py"),
        *ROOT.glob("plugins/plugin_utils/disk_cleanup/*.py"),
        *ROOT.glob("plugins/plugin_utils/chores/*.py"),
        *ROOT.glob("plugins/module_utils/chores/*.py"),
        *ROOT.glob("plugins/action/disk_*.py"),
    ]
}
# Errors of a question to the host, told as text: they never become the code of a record.
ANSWERS = {"bad_request", "not_ended", "unknown_work", "needs_root", "host_error"}
CODES = (
    r'Stop\(\s*"\w+",\s*"(\w+)"',
    r'AgentError\(\s*"(\w+)"',
    r'Refused\(\s*"(\w+)"',
    r'record\.outcome, record\.code = "\w+", "(\w+)"',
    r'close\("\w+", "(\w+)"',
    r'_give_up\([^"]*(?:"\w+"[^"]*)*?"(internal)"',
    r'code="(\w+)"',
    r'return \(?\s*"(no_forecast|runaway)"',
    r'against = \("(\w+)"',
)


def tables(head: str) -> set[str]:
    """The words in backquotes in the first column of every table with this head."""
    found = set()
    for table in PAGE.split(head)[1:]:
        for row in table.split("\n\n", 1)[0].splitlines()[2:]:
            found.update(re.findall(r"`([a-z_]+)`", row.split("|")[1]))
    return found


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_readers_of_the_product_take_every_example(text: str) -> None:
    content = yaml.safe_load(text)
    own = {name: value for name, value in content.items() if name.startswith("disk_cleanup_")}
    options.read(own)
    others = {name: value for name, value in content.items() if name not in own}
    if "keepwell_windows" in others:
        built, problems = calendar.build({"keepwell_windows": others.pop("keepwell_windows")}, "Europe/Amsterdam")
        assert built.windows
        assert not problems
    if "keepwell_plan" in others:
        service_plan, problems = plan.build(others.pop("keepwell_plan"))
        assert service_plan is not None
        assert service_plan.buys("disk_cleanup")
        assert not problems
    assert not others, "an example that no reader looks at"


def test_the_page_has_every_rule_as_it_is() -> None:
    for rule in _rules.RULES:
        assert f"| `{rule.id}` | {rule.default} | {rule.title}: {rule.scope} | {rule.guard} |" in PAGE
    assert tables("| rule | default |") == set(_rules.IDS)
    for rule in systems.WINDOWS:
        assert f"| `{rule.id}` | {rule.default} | {rule.title}: {rule.scope} | {rule.guard} |" in PAGE
    assert tables("| rule on Windows |") == {rule.id for rule in systems.WINDOWS}


def test_the_page_has_every_code_of_a_record() -> None:
    text = "\n".join(SOURCES.values())
    used = {code for pattern in CODES for code in re.findall(pattern, text) if code} - ANSWERS
    told = tables("| code | outcome |") | tables("| code | why it is refused |")
    assert used - told == set()
    assert {code for code in told if f'"{code}"' not in text} == set()


def test_the_page_has_every_reason_why_something_stays() -> None:
    engine, rules, tmpfiles = (SOURCES[f"disk_cleanup/{name}.py"] for name in ("_engine", "_file_rules", "_tmpfiles"))
    used = set(re.findall(r'skip\("(\w+)"', engine + rules))
    used |= set(re.findall(r'errno\.\w+: "(\w+)"', engine)) - {"read_only", "disk_error"}
    used |= {
        word
        for body in re.findall(r"def _against.*?return \"\"", engine, re.DOTALL)
        for word in re.findall(r'return "(\w+)"', body)
    }
    for text in (rules, tmpfiles):
        body = text.split("def judge", 1)[1].split("def choose", 1)[0]
        used |= set(re.findall(r'(?:return|else) "(\w+)"', body))
    assert tables("| stayed because of |") == used | reasons_on_windows() | {"error"}


def reasons_on_windows() -> set[str]:
    """The words by which walk.psm1 and its neighbours, and the C# that they compile, leave something."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in ON_HOSTS.glob("*.psm1"))
    used = set(re.findall(r"-Reason (?:\$\(if \([^)]*\) \{ )?'(\w+)'", text))
    used |= set(
        re.findall(r"return '(\w+)'", text.split("function Get-KeepwellVerdict", 1)[1].split("\nfunction ", 1)[0])
    )
    used |= set(re.findall(r'return "(\w+)";', text.split("Taken Take(", 1)[1].split("Sums Grown(", 1)[0]))
    used |= set(re.findall(r'return "(\w+)";', text.split("string Because(", 1)[1]))
    return used - {"target", "budget_seconds", "read_only", "disk_error"}


def test_the_page_has_every_reason_for_a_gap() -> None:
    assert tables("| reason | what it means |") == set(
        re.findall(r'_reason\("(\w+)"', SOURCES["disk_cleanup/_space.py"])
    )
