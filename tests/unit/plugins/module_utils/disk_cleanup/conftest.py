# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every test of disk cleanup shares."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup import _bases

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root of its own with a /tmp in it."""
    home = tmp_path / "root"
    (home / "tmp").mkdir(parents=True)
    monkeypatch.setattr(_bases, "ROOT", str(home))
    return home
