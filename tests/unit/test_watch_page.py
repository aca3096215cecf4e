"""docs/watch.md is true: its examples are read, its metrics are those that are written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.keepwell.fleet.plugins.plugin_utils import settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.expected_runs import ledger, metrics

PAGE = (Path(__file__).parents[2] / "docs/watch.md").read_text(encoding="utf-8")
NOW = 1795780800.0


@pytest.mark.parametrize("text", re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
def test_every_example_is_read(text: str) -> None:
    # What Ansible would take from a vault.
    told = yaml.safe_load(re.sub(r'"\{\{ vault_\w+ \}\}"', "https://ping.example.net/1", text))
    schedule = {"keepwell_schedule": {"watch": {"playbook": "watch", "every": "5m"}}}
    if isinstance(told.get("keepwell_ping_url"), dict):
        schedule["keepwell_schedule"]["nightly"] = {"playbook": "maintain", "at": "22:00"}
    assert settings.read({"keepwell_client": "acme", **schedule, **told}, ["acme"], NOW).schedule


def test_every_metric_is_told_and_no_other() -> None:
    content = metrics.metrics_file("acme", [ledger.Standing("watch", NOW, NOW, 0)], NOW, (NOW, {})).decode()
    written = set(re.findall(r"^# TYPE (\w+) gauge$", content, re.MULTILINE))
    table = "\n".join(line for line in PAGE.splitlines() if line.startswith("| `keepwell_"))
    assert set(re.findall(r"`(keepwell_\w+)`", table)) == written
