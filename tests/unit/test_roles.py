# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Roles are all alike, and what they say of themselves is true."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ROLES = sorted(path.parents[1] for path in (ROOT / "roles").glob("*/tasks/main.yml"))
SPEC = importlib.util.spec_from_file_location("generate_role_readmes", ROOT / "tools" / "generate_role_readmes.py")
assert SPEC is not None
assert SPEC.loader is not None
generator = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(generator)
every_role = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)


def options_of(role: Path) -> dict:
    return yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]


@every_role
def test_defaults_are_those_of_the_argument_specs(role):
    defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text()) or {}
    described = {name: option["default"] for name, option in options_of(role).items() if "default" in option}
    assert defaults == described


@every_role
def test_every_variable_carries_the_name_of_its_role(role):
    assert all(name.startswith(f"{role.name}_") for name in options_of(role))


@every_role
def test_the_readme_says_what_it_does_not_do_and_lists_every_variable(role):
    readme = role / "README.md"
    text = readme.read_text()
    assert "It will not:" in text
    assert "## Example" in text
    assert generator.readmes()[readme] == text, "run tools/generate_role_readmes.py"


@every_role
def test_task_files_stay_short(role):
    assert len((role / "tasks" / "main.yml").read_text().splitlines()) <= 40
    for path in (role / "tasks").rglob("*.yml"):
        assert len(path.read_text().splitlines()) <= 80


@pytest.mark.parametrize("path", sorted((ROOT / "roles").glob("*/tasks/adopt.yml")), ids=lambda path: path.parts[-3])
def test_nothing_of_an_earlier_run_is_taken_up_in_check_mode(path):
    [task] = yaml.safe_load(path.read_text())
    assert task["when"] == f"{path.parts[-3]}_act | bool and not ansible_check_mode"
