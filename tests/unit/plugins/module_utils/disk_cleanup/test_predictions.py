# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is predicted and what comes of it; and what grows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cleanup_tree import put

from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup import (
    _growers,
    _space,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine

BEFORE = {"at": 0.0, "avail_bytes": 0, "free_bytes": 0}
MIB = 1 << 20


@pytest.mark.parametrize(
    ("avail", "free", "pace", "held", "snapshots", "codes", "explained"),
    [
        (100, 100, 0.0, 0, None, [], True),
        (96, 96, 0.0, 0, None, [], True),
        (70, 100, 0.0, 0, None, ["reserved"], True),
        (60, 60, 0.0, 40, None, ["open"], True),
        (50, 50, -5.0, 0, None, ["writers"], True),
        (150, 150, 5.0, 0, None, ["writers"], True),
        (0, 0, 0.0, 0, 3, ["snapshots"], True),
        (50, 50, 0.0, 0, None, ["unknown"], False),
        (20, 30, 0.0, 20, 2, ["reserved", "open", "snapshots"], True),
    ],
)
def test_a_gap_is_explained_or_said_to_be_unexplained(
    avail: int, free: int, pace: float, held: int, snapshots: int | None, codes: list[str], explained: bool
) -> None:
    after = {"at": 10.0, "avail_bytes": avail * MIB, "free_bytes": free * MIB}
    told = _space.explain(100 * MIB, BEFORE, after, [pace * MIB], held * MIB, snapshots, 5)
    assert ([entry["code"] for entry in told["reasons"]], told["explained"]) == (codes, explained)
    assert (told["actual_bytes"], told["gap_bytes"]) == (avail * MIB, (100 - avail) * MIB)
    if codes:
        assert sum(entry["bytes"] for entry in told["reasons"]) == told["gap_bytes"]


def test_growers_are_counted_once_and_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    big = put(root / "a/b/big", 400_000)
    put(root / "c/small", 40_000)
    os.link(big, root / "c/same")
    monkeypatch.setattr(_space, "table", lambda: [(str(root), "ext4", [str(root)])])
    (found,) = _growers.collect(Machine(), [str(root), "/not-mounted"], seconds=20.0)
    sizes = {entry["path"].removeprefix(str(root)): entry["bytes"] for entry in found["folders"]}
    assert sum(size for path, size in sizes.items() if path in ("/a/b", "/c")) <= found["bytes"]
    assert found["folders"][0]["path"] == str(root)
    assert max(sizes.get("/a/b", 0), sizes.get("/c", 0)) >= 400_000
    # What is nearly all of the folder above it stands for that.
    assert "/a" not in sizes or "/a/b" not in sizes
    assert found["partial"] == ""
    assert found["folders"][0]["user"]
    (cut,) = _growers.collect(Machine(), [str(root)], entries=3)
    assert cut["partial"] == "entries"
