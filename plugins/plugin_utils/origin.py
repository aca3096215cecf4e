# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: which versions of what a run is made with.

Runs on the control node.
"""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

import yaml
from ansible import __version__ as core_version

from ansible_collections.keepwell.fleet.plugins.plugin_utils import grade

_ROOT = Path(__file__).parents[2]


def versions() -> dict[str, str]:
    """Return the versions of what makes evidence."""
    return {
        "keepwell.fleet": _own_version(),
        "ansible-core": core_version,
        "grade_model": str(grade.MODEL),
    }


def _own_version() -> str:
    """Version of the collection: from galaxy.yml in the project, from MANIFEST.json where it is installed."""
    for name, path in (("galaxy.yml", ("version",)), ("MANIFEST.json", ("collection_info", "version"))):
        file = _ROOT / name
        if file.is_file():
            value: t.Any = yaml.safe_load(file.read_text(encoding="utf-8"))
            for key in path:
                value = value[key]
            return str(value)
    return "unknown"


def git_commit(folder: str) -> str | None:
    """Commit of the playbooks, with ``-dirty`` when files differ from it; None outside a checkout."""
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            ["git", "-C", folder, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
