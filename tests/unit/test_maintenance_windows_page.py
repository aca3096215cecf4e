"""docs/maintenance-windows.md is true: its examples are read, its tables name what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.keepwell.fleet.plugins.plugin_utils import settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.kinds import KINDS
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.rules import RULES
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.terms import Terms

PAGE = (Path(__file__).parents[2] / "docs/maintenance-windows.md").read_text(encoding="utf-8")
NOW = 1795780800.0


@pytest.mark.parametrize("text", re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
def test_every_example_is_read(text: str) -> None:
    client = {"id": "acme", "name": "Acme Ltd", "timezone": "Europe/Amsterdam"}
    told = settings.read({"keepwell_client": client, **yaml.safe_load(text)}, ["acme"], NOW, ["erp", "servers"])
    assert told.calendar.windows or told.calendar.blackouts or told.calendar.emergency


def test_every_key_rule_and_kind_of_work_is_told() -> None:
    keys = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", PAGE, re.MULTILINE)
    told = {word for key in keys for word in re.findall(r"`(\w+)`", key)}
    assert told == {field.alias or name for name, field in Terms.model_fields.items()}
    assert set(re.findall(r"^\| `\{(\w+):", PAGE, re.MULTILINE)) == set(RULES)
    [line] = [line for line in PAGE.splitlines() if line.startswith("| `allow` |")]
    assert set(re.findall(r"`(\w+)`", line)) - {"allow"} == set(KINDS)
