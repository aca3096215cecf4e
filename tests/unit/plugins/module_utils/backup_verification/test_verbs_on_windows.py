# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""On Windows, too, no driver can say a word that changes a backup, and nothing touches the protection itself.

PowerShell is read here, not run: what is not written down in these files cannot be said by them.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _canary
from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification._tools import FORBIDDEN

MODULES = Path(__file__).parents[5] / "plugins/module_utils"
BACKUPS = sorted((MODULES / "backup_verification").glob("*.psm1"))
ANTIVIRUS = sorted((MODULES / "antivirus").glob("*.psm1"))
RESTIC = MODULES / "backup_verification/restic.psm1"
WSB = MODULES / "backup_verification/server_backup.psm1"


def code(path: Path) -> str:
    """The script without its comments."""
    text = re.sub(r"<#.*?#>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))


def test_there_are_scripts_to_read() -> None:
    assert {"server_backup.psm1", "veeam.psm1", "restic.psm1"} <= {path.name for path in BACKUPS}
    assert {"agent.psm1", "care.psm1", "defender.psm1"} == {path.name for path in ANTIVIRUS}


def test_restic_can_be_told_reading_verbs_alone() -> None:
    text = code(RESTIC)
    (verbs,) = re.findall(r"\[ValidateSet\(([^)]*)\)\] \[string\] \$Verb", text)
    allowed = set(re.findall(r"'([^']+)'", verbs))
    assert allowed == {"version", "snapshots", "ls", "check", "restore"}
    assert not allowed & FORBIDDEN
    # The only place where its process is made puts the verb first, and asks for no lock.
    assert text.count("ProcessStartInfo") == 1
    assert "@($Verb) + @($Words) + @('--no-lock', '--no-cache')" in text
    for path in BACKUPS:
        told = re.findall(r"Invoke-KeepwellRestic [^\n]*-Verb '(\w+)'", code(path))
        assert set(told) <= allowed, path.name
        assert "Invoke-KeepwellRestic" not in code(path) or told or path == RESTIC


@pytest.mark.parametrize("path", BACKUPS, ids=lambda path: path.name)
def test_no_word_that_changes_a_repository_is_in_any_script(path: Path) -> None:
    words = set(re.findall(r"(?<![\w$.-])'?(--?[a-z][a-z-]+|[a-z]+-?[a-z]*)'?(?![\w-])", code(path)))
    options = {word for word in FORBIDDEN if word.startswith("--")}
    assert not options & words
    # As words that a program is told: in quotes.
    quoted = set(re.findall(r"'([a-z-]+)'", code(path)))
    assert not (FORBIDDEN - {"start", "config", "copy"}) & quoted


def test_wbadmin_restores_files_and_nothing_else() -> None:
    for path in BACKUPS:
        called = re.findall(r"wbadmin\.exe", code(path))
        assert (len(called) == 1) == (path == WSB), path.name
    (line,) = [line for line in code(WSB).splitlines() if "start recovery" in line]
    assert "-itemType:File" in line and "-overwrite:CreateCopy" in line and "-recoveryTarget:" in line
    # Read by Get-WB*, and by no cmdlet that makes, changes or removes.
    cmdlets = {word for path in BACKUPS for word in re.findall(r"\b([A-Z]\w+-WB\w+)", code(path))}
    assert cmdlets and all(word.startswith("Get-WB") for word in cmdlets), cmdlets


def test_nothing_of_veeam_is_run() -> None:
    text = code(MODULES / "backup_verification/veeam.psm1")
    assert not re.search(r"Start-Process|ProcessStartInfo|&\s*\$|Invoke-Keepwell", text)


def test_no_setting_of_defender_and_no_other_product_is_touched() -> None:
    everything = "\n".join(code(path) for path in ANTIVIRUS)
    for word in ("Set-MpPreference", "Add-MpPreference", "Remove-MpPreference", "Remove-MpThreat", "Set-ItemProperty"):
        assert word not in everything
    for word in (
        "New-ItemProperty",
        "Stop-Service",
        "Set-Service",
        "Restart-Service",
        "-RemoveDefinitions",
        "-Restore",
    ):
        assert word not in everything
    assert re.findall(r"Start-Service -Name (\S+)", everything) == ["'WinDefend'"]
    # MpCmdRun is asked to end a scan, nothing more.
    assert re.findall(r"& \$program ([^\n]*)", everything) == ["-Scan -Cancel"]


def test_what_is_removed_is_a_sandbox_alone() -> None:
    for path in [*BACKUPS, *ANTIVIRUS]:
        removing = re.findall(r"Remove-Item|\]::(?:Delete|Clear)\(", code(path))
        assert bool(removing) == (path.name == "sandbox.psm1"), path.name


def test_a_canary_of_windows_is_one_of_python_to_the_byte() -> None:
    """The lines of New-KeepwellCanaryText put together as PowerShell does: literals and values, joined by +."""
    text = code(MODULES / "backup_verification/canary.psm1")
    values = {"$Id": "files", "$Nonce": "0a" * 16, "$Version": "3", "$WrittenAt": "1795399200"}

    def joined(expression: str) -> str:
        for name, value in values.items():
            expression = expression.replace(f" {name}", f" '{value}'")
        return "".join(re.findall(r"'([^']*)'", expression))

    (head,) = re.findall(r"\$head = (.*)", text)
    (tail,) = re.findall(r"\$tail = (.*)", text)
    (whole,) = re.findall(r"return \$head \+ (.*) \+ \$tail \+ \"`n\"", text)
    summed = hashlib.sha256((joined(head) + joined(tail)).encode()).hexdigest()
    values["$sum"] = summed
    made = joined(head) + joined(whole) + joined(tail) + "\n"
    assert made == _canary.text_of("files", 3, 1795399200, "0a" * 16)
    assert _canary.read(made.encode()) is not None
