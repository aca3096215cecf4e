# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be said of the cleanup of Windows hosts by reading it: its rules, its places, its C#, its task."""

from __future__ import annotations

import ntpath
import os
import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup import systems

UTILS = Path(__file__).parents[5] / "plugins" / "module_utils"
FILES = {path.stem: path.read_text() for path in (UTILS / "disk_cleanup").glob("*.psm1")}
# Below, at or above none of these anything goes.
NEVER = (
    r"C:\Windows\Installer", r"C:\Windows\WinSxS", r"C:\Windows\Prefetch", r"C:\Config.Msi", r"C:\pagefile.sys",
    r"C:\Windows\System32\config", r"C:\Windows\SoftwareDistribution\DataStore", r"C:\Windows.old", r"C:\Users\ann\Downloads",
    r"C:\Users\ann\NTUSER.DAT", r"C:\Windows\System32\LogFiles", r"C:\ProgramData\Microsoft\Windows Defender",
)  # fmt: skip


def code(text: str) -> str:
    """A file without its comments."""
    return re.sub(r"<#.*?#>|^\s*#.*?$", "", text, flags=re.DOTALL | re.MULTILINE)


def places() -> list[str]:
    """The folders of Get-KeepwellPlace on a host with one disk and one profile."""
    body = code(FILES["places"]).split("function Get-KeepwellPlace", 1)[1].split("\nfunction ", 1)[0]
    table = body.split("return @{", 1)[1]
    known = {
        "$windows": r"C:\Windows", "${drive}": "C:\\", "$reports": r"C:\ProgramData\Microsoft\Windows\WER", "`": "",
    }  # fmt: skip
    found = []
    for line in table.splitlines():
        for text in re.findall(r'"([^"]+)"', line):
            for name, value in {**known, "$_": r"C:\Users\ann" if "user_temp" in line else "C:"}.items():
                text = text.replace(name, value)
            found.append(text)
    return found


def test_the_host_has_the_rules_that_the_control_node_tells_of() -> None:
    rules = re.findall(r"@\{ id = '(\w+)'; how = '(\w+)' \}", FILES["rules"])
    assert [name for name, _how in rules] == [rule.id for rule in systems.WINDOWS]
    assert [name for name, how in rules if how == "report"] == [
        rule.id for rule in systems.WINDOWS if rule.default == "off"
    ]


def test_nothing_goes_in_or_above_what_must_stay() -> None:
    found = places()
    assert len(found) == 10
    assert r"C:\$Recycle.Bin" in found
    for place in found:
        assert ntpath.isabs(place)
        assert "$" not in place.replace("$Recycle.Bin", "")
        for never in NEVER:
            assert not (never + "\\").lower().startswith((place + "\\").lower()), place
            assert not (place + "\\").lower().startswith((never + "\\").lower()), place


def test_files_go_by_one_handle_alone() -> None:
    everything = {name: code(text) for name, text in FILES.items()}
    takers = {name for name, text in everything.items() if "FileTool]::Take(" in text}
    assert takers == {"walk"}
    for name, text in everything.items():
        assert not re.search(r"\[System\.IO\.(File|Directory)\]::(Delete|Move)|\.Delete\(", text), name
        # The folder in which a preview's programs put their words.
        removed = re.findall(r"Remove-Item.*", text)
        assert removed == (
            ["Remove-Item -LiteralPath $scratch -Recurse -Force -ErrorAction SilentlyContinue"]
            if name == "agent"
            else []
        )


def test_dism_speaks_english_and_leaves_the_way_back() -> None:
    calls = re.findall(r"-Argument '([^']*)'", code(FILES["servicing"]))
    assert len(calls) == 2
    for call in calls:
        assert call.startswith("/English /Online /NoRestart /Cleanup-Image /")
    assert not any("ResetBase" in code(text) for text in FILES.values())


def test_the_reader_of_dism_knows_its_words() -> None:
    """The patterns, on what DISM of Server 2019 prints."""
    patterns = re.findall(r"-match '(\(\?m\)[^']+)'", FILES["servicing"])
    said = """
Component Store (WinSxS) information:

Windows Explorer Reported Size of Component Store : 7.98 GB

Actual Size of Component Store : 7.51 GB

    Shared with Windows : 5.65 GB
    Backups and Disabled Features : 1.57 GB
    Cache and Temporary Data : 288.45 MB

Date of Last Cleanup : 2026-10-02 03:14:20

Number of Reclaimable Packages : 6
Component Store Cleanup Recommended : Yes

The operation completed successfully.
"""
    found = [re.search(pattern, said.replace("\n", "\r\n").replace("\r", "")) for pattern in patterns]
    assert [match.groups() for match in found if match] == [("Yes",), ("6",), ("7.51 GB",), ("288.45", "MB")]


def test_the_csharp_that_hosts_compile_is_c_sharp_5(tmp_path: Path) -> None:
    compiler = shutil.which("mcs")
    if not compiler:
        if os.environ.get("CI"):
            pytest.fail("CI must have mcs (Debian package mono-mcs)")
        pytest.skip("needs mcs (Debian package mono-mcs)")
    source = tmp_path / "FileTool.cs"
    source.write_text(FILES["file_tool"].split("Add-Type -TypeDefinition @'\n", 1)[1].split("\n'@", 1)[0])
    done = subprocess.run(
        [
            compiler,
            "-langversion:5",
            "-warn:4",
            "-warnaserror",
            "-target:library",
            f"-out:{tmp_path / 'x.dll'}",
            str(source),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_task_is_for_the_system_within_limits_and_begins_nowhen_by_itself() -> None:
    text = (UTILS / "chores" / "task.psm1").read_text()
    xml = text.split('return @"\n', 1)[1].split('\n"@', 1)[0]
    xml = re.sub(r"\$\([^\n]*\)(?=<)", "X", xml).replace("${seconds}", "3720").replace("$priority", "8")
    task = ElementTree.fromstring(xml.replace("$escaped", "X").split("\n", 1)[1])
    space = {"t": "http://schemas.microsoft.com/windows/2004/02/mit/task"}
    assert task.find("t:Triggers", space) is None
    assert task.findtext("t:Principals/t:Principal/t:UserId", namespaces=space) == "S-1-5-18"
    assert task.findtext("t:Settings/t:ExecutionTimeLimit", namespaces=space) == "PT3720S"
    assert task.findtext("t:Settings/t:Priority", namespaces=space) == "8"
    assert task.findtext("t:Settings/t:MultipleInstancesPolicy", namespaces=space) == "IgnoreNew"
