"""docs/period-reports.md and docs/auditing.md are true: variables, files and frameworks are those there are."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.keepwell.fleet.plugins.plugin_utils import settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.auditor_controls import FRAMEWORKS
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.auditor_sample import SAMPLE
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.fleet import STALE_DAYS
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.period_tables import COLUMNS

ROOT = Path(__file__).parents[2]
PERIOD = (ROOT / "docs/period-reports.md").read_text(encoding="utf-8")
AUDITING = (ROOT / "docs/auditing.md").read_text(encoding="utf-8")
PLAYBOOK = (ROOT / "playbooks/period_report.yml").read_text(encoding="utf-8")


def test_variables_are_those_of_the_playbook() -> None:
    told = set(re.findall(r"keepwell_\w+", PERIOD + AUDITING)) - {"keepwell_state_dir"}
    assert told == set(re.findall(r"{{ (keepwell_\w+)", PLAYBOOK))
    assert told <= set(settings.VARIABLES)


def test_files_and_numbers_are_those_of_the_code() -> None:
    assert set(re.findall(r"`(\w+)\.csv`", PERIOD)) == set(COLUMNS)
    assert f"The first {SAMPLE} names" in AUDITING
    assert STALE_DAYS == 2
    assert "nobody looked for two days" in PERIOD


def test_every_framework_is_named() -> None:
    words = " ".join(AUDITING.split())
    for framework in FRAMEWORKS:
        assert framework.name.split(",")[0].removesuffix(" Rev. 5") in words
