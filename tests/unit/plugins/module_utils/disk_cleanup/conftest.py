# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every test of disk cleanup shares."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cleanup_rules import TREE
from cleanup_tree import put

from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup import _account, _bases, _space
from ansible_collections.keepwell.fleet.plugins.module_utils.patching import _locks


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root of its own with a /tmp in it."""
    home = tmp_path / "root"
    (home / "tmp").mkdir(parents=True)
    monkeypatch.setattr(_bases, "ROOT", str(home))
    return home


@pytest.fixture
def all_of_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tree above, on a filesystem that asks for room."""
    for name in TREE:
        put(root / name)
    device = root.stat().st_dev
    monkeypatch.setattr(_space, "targets", lambda wanted: {device: _account.Target("/", device, 0, None)})
    monkeypatch.setattr(
        _space,
        "measure",
        lambda _mount: {
            "at": 0,
            "size_bytes": 1,
            "avail_bytes": 0,
            "free_bytes": 0,
            "inodes_total": 1,
            "inodes_free": 0,
        },
    )
    monkeypatch.setattr(_space, "settled", lambda *_: _space.measure("/"))
    monkeypatch.setattr(_space, "pace", lambda _mount: 0.0)
    monkeypatch.setattr(_locks, "held", lambda *_: [])
    return root
