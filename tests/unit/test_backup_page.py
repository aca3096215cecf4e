# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/backup-verification.md agrees with the product: its examples are valid, one for each tool, its codes exist."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml
from record_codes import codes_in, codes_of_scripts, first_column

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _drivers, _proof
from ansible_collections.keepwell.fleet.plugins.plugin_utils import plan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import due, options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.datasets import Dataset
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.windows_hosts import looks
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._registry import CHECKS
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows import calendar

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/backup-verification.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
ON_HOSTS = ROOT / "plugins/module_utils"
SOURCES = sorted(
    [
        *ROOT.glob("plugins/action/backup_*.py"),
        *ROOT.glob("plugins/plugin_utils/chores/*.py"),
        ROOT / "plugins/plugin_utils/backup_verification/testing.py",
        *ROOT.glob("plugins/plugin_utils/backup_verification/windows_hosts/*.py"),
        *ON_HOSTS.glob("chores/*.py"),
        *ON_HOSTS.glob("backup_verification/*.py"),
    ]
)
# What a test found: the record is done then and has no code.
FOUND = {
    "damaged", "inconclusive", "mismatch", "missing", "query", "database", "canary_stale", "canary_wrong", "canary_missing",
}  # fmt: skip
# Errors of a question to the host, told as text: they never become the code of a record.
ANSWERS = {"bad_request", "not_ended", "unknown_work", "not_ours"}
# Of a proof, not found by its form: the last return of _proof._judged.
JUDGED = {"sandbox_full", "restore_failed"}


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_readers_of_the_product_take_every_example(text: str) -> None:
    content = yaml.safe_load(text)
    mine = {name: value for name, value in content.items() if name.startswith("backup_verification_")}
    options.read(mine)
    others = {name: value for name, value in content.items() if name not in mine}
    if "keepwell_windows" in others:
        built, problems = calendar.build({"keepwell_windows": others.pop("keepwell_windows")}, "Europe/Amsterdam")
        assert built.windows
        assert not problems
    if "keepwell_plan" in others:
        service_plan, problems = plan.build(others.pop("keepwell_plan"))
        assert service_plan is not None
        assert not problems
    assert not others, "an example that no reader looks at"


def datasets() -> list[dict[str, t.Any]]:
    found = []
    for text in EXAMPLES:
        found += yaml.safe_load(text).get("backup_verification_datasets", [])
    return found


def test_there_is_an_example_for_every_tool_that_can_be_verified() -> None:
    tools = set(t.get_args(Dataset.model_fields["tool"].annotation))
    assert {entry["tool"] for entry in datasets()} == tools
    assert set(_drivers.DRIVERS) | set(looks._READERS) | {"sftp"} == tools


def test_examples_give_drivers_only_options_that_they_look_at() -> None:
    drivers = [
        *ON_HOSTS.glob("backup_verification/*.py"),
        ROOT / "plugins/plugin_utils/backup_verification/sftp.py",
        *(ROOT / "plugins/plugin_utils/backup_verification/windows_hosts").glob("*.py"),
    ]
    text = "".join(path.read_text(encoding="utf-8") for path in drivers)
    asked = set(re.findall(r"options(?:\.get\(|\[)\"([a-z_]+)\"", text)) | set(
        re.findall(r"\"([a-z_]+)\" in self\.options", text)
    )
    for entry in datasets():
        assert set(entry.get("options", {})) <= asked, entry["tool"]


def test_the_page_has_every_verdict_and_every_test() -> None:
    checks = {entry.id for entry in CHECKS if entry.from_datasets}
    told = set(re.findall(r"`(backup\.[a-z_]+)`", PAGE))
    assert told <= {entry.id for entry in CHECKS}
    assert {
        f"backup.{name}" for name in ("freshness", "completeness", "integrity", "restorability", "survivability")
    } <= (told & checks)
    assert first_column(PAGE, "| test | what it does |") == set(options.KINDS)
    assert {kind for kinds in due.TESTS.values() for kind in kinds} <= set(options.KINDS)


def test_the_page_has_every_code_of_a_record() -> None:
    codes = codes_in(SOURCES) | codes_of_scripts("backup_verification", "chores") | set(_proof._OUTCOMES) | JUDGED
    assert first_column(PAGE, "| code | outcome |") == codes - FOUND - ANSWERS
    source = (ON_HOSTS / "backup_verification/_proof.py").read_text(encoding="utf-8")
    assert all(f'"{code}"' in source for code in JUDGED)
