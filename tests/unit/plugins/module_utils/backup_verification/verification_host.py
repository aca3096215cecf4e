# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tests of whole verifications share: the files of their snapshot, and a test that runs in this process."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

from made_backup import ID

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import (
    _control,
    _work,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _folder
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import Proof

FILES = {
    "a.txt": b"a" * 100,
    "b/c.txt": b"c" * 2000,
    "b/d.bin": os.urandom(5000),
    "old": b"o",
    "new\nline": b"n",
    "no\udcffutf8": b"n",
}


def work_folder() -> Path:
    return Path(_folder.path(_control.CHORE, ID))


def verified(asked: dict[str, t.Any]) -> dict[str, t.Any]:
    """Start a test, let it run in this process, and return its state; the proof has to be one."""
    started = _control.start(Machine(), asked)
    assert started["started"], started
    _work.run(str(work_folder()))
    state = _control.status(Machine(), ID)
    assert state["phase"] == "ended"
    Proof.model_validate(state["proof"])
    assert state["text"] == state["proof"]["text"]
    return state


def sandboxes(host: Path) -> list[str]:
    folder = host / "keepwell" / "sandbox"
    return os.listdir(folder) if folder.exists() else []
