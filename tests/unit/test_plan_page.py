"""docs/plan.md is true: its examples are read, its table names what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.keepwell.fleet.plugins.plugin_utils import plan

PAGE = (Path(__file__).parents[2] / "docs/plan.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
def test_every_example_is_read(text: str) -> None:
    content = yaml.safe_load(text)
    bought, problems = plan.build(content.get("keepwell_plan"), content.get("keepwell_tiers"))
    signed, wrong = plan.contract(content.get("keepwell_contract"))
    assert problems + wrong == []
    assert bought is not None or signed.hosts


def test_every_key_and_service_is_told() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == set(plan.ServicePlan.model_fields)
    [line] = [line for line in PAGE.splitlines() if line.startswith("| `services` |")]
    assert set(re.findall(r"`(\w+)`", line)) - {"services"} == set(plan.SERVICES)
