"""docs/hold.md is true: its numbers are those of the code, its variables exist, what it shows is what is said."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.keepwell.fleet.plugins.plugin_utils import holds, lease, settings

PAGE = (Path(__file__).parents[2] / "docs/hold.md").read_text(encoding="utf-8")


def test_the_numbers_are_those_of_the_code() -> None:
    assert f"the {holds.DEFAULT_DAYS}th day from now" in PAGE
    assert f"At most {holds.LONGEST_DAYS} days away" in PAGE
    assert f"{lease.HEARTBEAT_LIMIT_S / 60:.0f} minutes after the last sign of life" in PAGE


def test_every_variable_exists() -> None:
    assert set(re.findall(r"\bkeepwell_\w+", PAGE)) <= set(settings.VARIABLES)


def test_the_playbooks_exist() -> None:
    for name in re.findall(r"playbooks/(\w+\.yml)", PAGE):
        assert (Path(__file__).parents[2] / "playbooks" / name).is_file()
