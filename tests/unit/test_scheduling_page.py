"""docs/scheduling.md is true: its example is read, its tables name what there is."""

from __future__ import annotations

import re
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml

from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule import cron, jobs, model

PAGE = (Path(__file__).parents[2] / "docs/scheduling.md").read_text(encoding="utf-8")


def test_every_example_is_read() -> None:
    examples = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    for text in examples:
        found, problems = model.build(yaml.safe_load(text)["keepwell_schedule"], ZoneInfo("Europe/Amsterdam"), 2026)
        assert problems == []
        assert found
    assert examples


def test_every_key_playbook_and_beat_is_told() -> None:
    keys = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", PAGE, re.MULTILINE)
    assert {word for key in keys for word in re.findall(r"`(\w+)`", key)} == set(model.Entry.model_fields)
    [line] = [line for line in PAGE.splitlines() if line.startswith("| `playbook` |")]
    assert set(re.findall(r"`(\w+)`", line)) - {"playbook"} == set(model.PLAYBOOKS)
    [line] = [line for line in PAGE.splitlines() if line.startswith("| `every` |")]
    beats = {f"{beat // 60}m" if beat < 3600 else f"{beat // 3600}h" for beat in model.BEATS}
    assert set(re.findall(r"`(\d+[mh])`", line)) == beats


def test_the_line_for_cron_is_like_those_that_are_made() -> None:
    entry = model.Entry.model_validate({"playbook": "assess", "at": "05:10"})
    site = jobs.Site("acme", "/p", "/p/playbooks", "/p/ansible-playbook", "/p/helpers", (), "/s", "keepwell")
    [text] = cron.render({"morning": entry}, site, "Europe/Amsterdam", ZoneInfo("UTC"), 2026).values()
    [shown] = [line for line in PAGE.splitlines() if "TZ=Europe/Amsterdam" in line]
    assert text.splitlines()[-1].startswith(shown.split(" ... ")[0])
