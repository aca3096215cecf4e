"""PowerShell's own word on the files, where PowerShell 7 is: that it can read them, and what they answer.

PowerShell 7 is not the 5.1 of the hosts, and this system is no Windows: only what needs neither is called.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import typing as t

import pytest
from harness import PROJECT
from powershell.__main__ import files

PWSH = shutil.which("pwsh")
pytestmark = [pytest.mark.pwsh, pytest.mark.skipif(not PWSH, reason="pwsh is not installed")]
ANSWER = PROJECT / "plugins" / "module_utils" / "chores" / "answer.psm1"


def run(script: str) -> t.Any:
    done = subprocess.run(
        [str(PWSH), "-NoProfile", "-NonInteractive", "-Command", "-"],
        input=f"$ErrorActionPreference = 'Stop'\n{script}\n",
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return json.loads(done.stdout)


def test_powershell_reads_every_file() -> None:
    paths = ", ".join(f"'{path}'" for path in files())
    wrong = run(
        f"$wrong = foreach ($path in @({paths})) {{ $found = $null\n"
        "$null = [System.Management.Automation.Language.Parser]::ParseFile($path, [ref]$null, [ref]$found)\n"
        '$found | ForEach-Object { "${path}:$($_.Extent.StartLineNumber): $($_.Message)" } }\n'
        "ConvertTo-Json -InputObject @($wrong)"
    )
    assert wrong == []


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ("@{ operation = 'dance' }", {"error": "bad_request", "text": "Unknown operation 'dance'."}),
        ("@{ operation = 'start' }", {"error": "bad_request", "text": "The request lacks plan, now."}),
    ],
)
def test_a_request_that_cannot_be_answered_is_refused_in_words(request_: str, said: dict) -> None:
    answer = run(
        f"Import-Module -Name '{ANSWER}'\n"
        "$agent = @{ title = 'This'; operations = @{ start = { param($Request) @{} } }; needed = @{ start = 'plan', 'now' } }\n"
        f"Get-KeepwellAnswer -Agent $agent -Request {request_} | ConvertTo-Json"
    )
    assert answer == said
