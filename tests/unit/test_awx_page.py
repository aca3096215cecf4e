# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/awx.md is true: its example makes what its table and its rule say."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from ansible_collections.keepwell.fleet.plugins.plugin_utils import settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.awx import rendering
from ansible_collections.keepwell.fleet.plugins.plugin_utils.awx.model import Awx
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.model import PLAYBOOKS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/awx.md").read_text(encoding="utf-8")
NOON = 1795780800.0


def made(*playbooks: str) -> rendering.Definitions:
    [text] = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    told = settings.read(yaml.safe_load(text), ["inventories/acme"], NOON, ["web"], {"web"})
    assert told.awx is not None
    assert told.plan is not None
    return rendering.definitions(
        rendering.Told(
            told.client, told.awx, told.schedule, told.plan.services, told.calendar.declared, playbooks, 2026
        )
    )


def test_every_key_is_told() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == set(Awx.model_fields)


def test_every_name_that_is_told_is_made() -> None:
    table = PAGE[PAGE.index("| in AWX |") : PAGE.index("The survey asks")]
    names = {item["name"] for items in made("assess", "patch", "report").values() for item in items}
    assert set(re.findall(r"`(keepwell-acme[\w-]*)`", table)) <= names


def test_the_rule_that_is_told_is_made() -> None:
    rules = [item["rrule"] for item in made(*PLAYBOOKS)["controller_schedules"]]
    assert [rule for rule in rules if rule in PAGE] == [rules[1]]


def test_the_survey_asks_what_is_told() -> None:
    [acting] = [item for item in made("patch")["controller_templates"] if item["name"].endswith("-act")]
    for question in acting["survey_spec"]["spec"]:
        assert f"`{question['variable']}`" in PAGE


def test_the_example_that_can_be_copied_says_everything_that_is_needed() -> None:
    declared = yaml.safe_load((ROOT / "inventories/example/group_vars/all/awx.yml").read_text())
    assert Awx.model_validate(declared["keepwell_awx"]).environment.pull == "missing"
