# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A round of updates on Windows counts as at work wherever nobody could look.

PowerShell is read here, not run.
"""

from __future__ import annotations

import re
from pathlib import Path

ROUNDS = Path(__file__).parents[5] / "plugins/module_utils/chores/rounds.psm1"


def function(name: str) -> str:
    """The text of one function."""
    found = re.search(rf"^function {name} \{{$.*?^\}}$", ROUNDS.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert found is not None, name
    return found[0]


def test_each_source_that_tells_of_a_round_has_to_be_readable_before_the_round_counts_as_ended() -> None:
    alive = function("Test-KeepwellRoundAlive")
    asked = re.findall(r"\((Get-KeepwellInstaller|Test-KeepwellUpdateHelper) -Machine \$machine\)", alive)
    assert asked == ["Get-KeepwellInstaller", "Test-KeepwellUpdateHelper"]
    read = {source for name in asked for source in re.findall(r"-Source '([^']+)'", function(name))}
    told = re.search(r"\$told = @\(([^|]+)\|[^\n]*\$machine\.sources\[\$_\]\.status", alive)
    assert told is not None
    assert set(re.findall(r"'([^']+)'", told[1])) == read
