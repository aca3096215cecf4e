# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The canary on a Windows host: a small file that is written anew at intervals and must come back. Its content is that of
# _canary.py, to the byte. What was written when is kept in Keepwell's own folder and told to the control node.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.answer
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.folder

function Get-KeepwellCanarySum {
    <#
    .SYNOPSIS
    SHA-256 of a text in UTF-8, as lower case digits.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Text)
    $hash = [System.Security.Cryptography.SHA256]::Create()
    try {
        $bytes = $hash.ComputeHash([System.Text.Encoding]::UTF8.GetBytes($Text))
    }
    finally {
        $hash.Dispose()
    }
    return [System.BitConverter]::ToString($bytes).Replace('-', '').ToLowerInvariant()
}

function New-KeepwellCanaryText {
    <#
    .SYNOPSIS
    A canary's content, as json.dumps(sort_keys=True) writes it: its own sum is over the content without the sum.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [ValidatePattern('^[a-z0-9][a-z0-9_-]{0,40}$')] [string] $Id,
        [Parameter(Mandatory = $true)] [int64] $Version,
        [Parameter(Mandatory = $true)] [int64] $WrittenAt,
        [Parameter(Mandatory = $true)] [ValidatePattern('^[0-9a-f]{32}$')] [string] $Nonce
    )
    $head = '{"keepwell_canary": "' + $Id + '", "nonce": "' + $Nonce + '", '
    $tail = '"version": ' + $Version + ', "written_at": ' + $WrittenAt + '}'
    $sum = Get-KeepwellCanarySum -Text ($head + $tail)
    return $head + '"sha256": "' + $sum + '", ' + $tail + "`n"
}

function Update-KeepwellCanary {
    <#
    .SYNOPSIS
    Write the canary of a dataset anew when it is older than that, missing or damaged.
    .DESCRIPTION
    Returns path, written, version, written_at, sha256 and history. Nothing but a canary of this dataset is overwritten,
    and no folder is made.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Id,
        [Parameter(Mandatory = $true)] [string] $Path,
        [Parameter(Mandatory = $true)] [double] $EveryHours,
        [Parameter(Mandatory = $true)] [double] $Now
    )
    $folder = Split-Path -Path $Path -Parent
    if ($Path -notmatch '^[A-Za-z]:\\.' -or -not (Test-Path -LiteralPath $folder -PathType Container)) {
        Stop-KeepwellRequest -Code 'no_folder' -Text "The canary's folder $folder does not exist. Make it, or choose another path."
    }
    New-KeepwellFolder -Path (Get-KeepwellWorkHome)
    $own = Join-Path -Path (Get-KeepwellWorkHome) -ChildPath 'canary'
    New-KeepwellFolder -Path $own
    $book = Join-Path -Path $own -ChildPath "$Id.json"
    $history = @()
    if (Test-Path -LiteralPath $book) {
        foreach ($entry in @(ConvertFrom-Json -InputObject ([System.IO.File]::ReadAllText($book)) | ForEach-Object -Process { $_ })) {
            $history += @{ version = [int64]$entry.version; written_at = [double]$entry.written_at; sha256 = [string]$entry.sha256 }
        }
    }
    $present = ''
    if (Test-Path -LiteralPath $Path) {
        $entry = Get-Item -LiteralPath $Path -Force
        $plain = -not $entry.PSIsContainer -and -not ($entry.Attributes -band [System.IO.FileAttributes]::ReparsePoint) -and $entry.Length -le 4096
        $text = if ($plain) { [System.IO.File]::ReadAllText($Path) } else { '' }
        if (-not $text.Contains("`"keepwell_canary`": `"$Id`"")) {
            Stop-KeepwellRequest -Code 'not_ours' -Text "$Path exists and is no canary of the dataset $Id; it is not overwritten. Choose another path."
        }
        $present = Get-KeepwellCanarySum -Text $text
    }
    $last = $history | Select-Object -Last 1
    if ($last -and $present -eq $last.sha256 -and ($Now - $last.written_at) -lt $EveryHours * 3600) {
        return @{ path = $Path; written = $false; version = $last.version; written_at = $last.written_at; sha256 = $last.sha256; history = $history }
    }
    $version = 1 + $(if ($last) { $last.version } else { 0 })
    $at = [int64][System.Math]::Floor($Now)
    $content = New-KeepwellCanaryText -Id $Id -Version $version -WrittenAt $at -Nonce ([System.Guid]::NewGuid().ToString('N'))
    $new = @{ version = $version; written_at = [double]$at; sha256 = Get-KeepwellCanarySum -Text $content }
    $history = @(@($history) + @($new) | Select-Object -Last 60)
    # First what is known of it: a version that nobody knows would be taken for a wrong one.
    Write-KeepwellCanaryFile -Path $book -Text (ConvertTo-Json -InputObject @($history) -Depth 4)
    Write-KeepwellCanaryFile -Path $Path -Text $content
    return @{ path = $Path; written = $true; version = $version; written_at = $new.written_at; sha256 = $new.sha256; history = $history }
}

function Write-KeepwellCanaryFile {
    <#
    .SYNOPSIS
    Write a file whole or not at all.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Path,
        [Parameter(Mandatory = $true)] [string] $Text
    )
    $scratch = "$Path.$([System.Guid]::NewGuid().ToString('N').Substring(0, 8))"
    [System.IO.File]::WriteAllBytes($scratch, [System.Text.Encoding]::UTF8.GetBytes($Text))
    if (Test-Path -LiteralPath $Path) {
        [System.IO.File]::Replace($scratch, $Path, [System.Management.Automation.Language.NullString]::Value)
    }
    else {
        [System.IO.File]::Move($scratch, $Path)
    }
}

Export-ModuleMember -Function @(
    'Get-KeepwellCanarySum',
    'New-KeepwellCanaryText',
    'Update-KeepwellCanary',
    'Write-KeepwellCanaryFile'
)
