# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a look at AWX found is there for the runs after it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.keepwell.fleet.plugins.plugin_utils.awx import kept, model
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.model import Entry

AT = "2026-11-27T12:00:00Z"
AWX, _problems = model.build(
    {"project": {"url": "https://git.example/x.git", "branch": "v1"}, "environment": {"image": "r.example/ee:1"}}
)
SCHEDULE = {"morning": Entry.model_validate({"playbook": "assess", "at": "05:10"})}


def test_nobody_looked_yet(tmp_path: Path) -> None:
    assert kept.standing(tmp_path, "x") is None


def test_what_differed_is_told_until_the_next_look(tmp_path: Path) -> None:
    written = kept.digest(AWX, SCHEDULE, "UTC")
    kept.keep(tmp_path, AT, written, 14, {"made": ["schedule a"], "changed": ["schedule b"], "removed": ["schedule c"]})
    found = kept.standing(tmp_path, written)
    assert found is not None
    assert (found.at, found.objects) == (AT, 14)
    assert [(entry.kind, entry.text) for entry in found.differences] == [
        ("missing", "schedule a is not in AWX"),
        ("changed", "schedule b is otherwise in AWX"),
        ("left_over", "schedule c is in AWX and not written any more"),
    ]
    kept.keep(tmp_path, AT, written, 14, {})
    again = kept.standing(tmp_path, written)
    assert again is not None
    assert again.differences == []


def test_files_that_changed_since_are_told(tmp_path: Path) -> None:
    kept.keep(tmp_path, AT, kept.digest(AWX, SCHEDULE, "UTC"), 14, {})
    for awx, schedule, zone in ((None, SCHEDULE, "UTC"), (AWX, {}, "UTC"), (AWX, SCHEDULE, "Europe/Berlin")):
        found = kept.standing(tmp_path, kept.digest(awx, schedule, zone))
        assert found is not None
        assert [entry.kind for entry in found.differences] == ["not_installed"]


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    kept.path(tmp_path).write_text("{")
    with pytest.raises(EvidenceError, match="is not JSON"):
        kept.standing(tmp_path, "x")
