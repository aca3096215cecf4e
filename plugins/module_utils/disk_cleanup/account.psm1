# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# How much a cleanup may do, what it is for, and what it found and did: as _account.py elsewhere.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone: work that outlives its connection takes them along.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.answer
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup.file_tool

function Stop-KeepwellSweep {
    <#
    .SYNOPSIS
    End the walk of a rule here, for a reason that its account tells.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Reason)
    $stopped = New-Object -TypeName System.InvalidOperationException -ArgumentList $Reason
    $stopped.Data['keepwell_stop'] = $Reason
    throw $stopped
}

function New-KeepwellBudget {
    <#
    .SYNOPSIS
    Return how much may be done at most by all rules together: files, bytes and seconds; $null is no limit.
    #>
    [CmdletBinding()]
    param([Parameter()] [AllowNull()] [System.Collections.IDictionary] $Asked)
    $told = if ($null -eq $Asked) { @{} } else { $Asked }
    return @{
        files = $told['files']
        bytes = $told['bytes']
        seconds = $told['seconds']
        clock = [System.Diagnostics.Stopwatch]::StartNew()
    }
}

function Copy-KeepwellBudget {
    <#
    .SYNOPSIS
    Return a twin that can be spent without the other; their time is one.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Budget)
    return $Budget.Clone()
}

function Get-KeepwellSpent {
    <#
    .SYNOPSIS
    Return which limit is reached: files, bytes or seconds; '' while none is. With -Late only of the time.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Budget,
        [switch] $Late
    )
    if (-not $Late) {
        if ($null -ne $Budget.files -and $Budget.files -le 0) {
            return 'files'
        }
        if ($null -ne $Budget.bytes -and $Budget.bytes -le 0) {
            return 'bytes'
        }
    }
    if ($null -ne $Budget.seconds -and $Budget.clock.Elapsed.TotalSeconds -ge $Budget.seconds) {
        return 'seconds'
    }
    return ''
}

function New-KeepwellAccount {
    <#
    .SYNOPSIS
    Return what a rule found and did, as evidence: empty.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Rule)
    return @{
        id = $Rule
        files = 0
        folders = 0
        bytes = [int64]0
        rest_files = 0
        rest_bytes = [int64]0
        oldest = $null
        newest = $null
        skipped = @{}
        stopped = ''
        notes = (New-Object -TypeName 'System.Collections.Generic.List[string]')
        by_mount = @{}
        top = (New-Object -TypeName 'System.Collections.Generic.List[object]')
        hash = [System.Security.Cryptography.SHA256]::Create()
    }
}

function Add-KeepwellSkip {
    <#
    .SYNOPSIS
    Count something that stays although it looks like what the rule is about.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Account,
        [Parameter(Mandatory = $true)] [string] $Reason,
        [Parameter()] [int] $Count = 1
    )
    $Account.skipped[$Reason] = [int]$Account.skipped[$Reason] + $Count
}

function Add-KeepwellTaken {
    <#
    .SYNOPSIS
    Count a file that goes, for the account, the budget and the filesystem that wants room.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Account,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Budget,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Target,
        [Parameter(Mandatory = $true)] [string] $Path,
        [Parameter(Mandatory = $true)] [int64] $Bytes,
        [Parameter(Mandatory = $true)] [double] $When
    )
    $Account.files += 1
    $Account.bytes += $Bytes
    if ($null -eq $Account.oldest -or $When -lt $Account.oldest) {
        $Account.oldest = $When
    }
    if ($null -eq $Account.newest -or $When -gt $Account.newest) {
        $Account.newest = $When
    }
    $raw = [System.Text.Encoding]::UTF8.GetBytes("$Path`0")
    $null = $Account.hash.TransformBlock($raw, 0, $raw.Length, $null, 0)
    $Account.top.Add(@{ path = $Path; bytes = $Bytes; changed_at = $When })
    if ($Account.top.Count -ge 200) {
        Limit-KeepwellTop -Account $Account
    }
    Add-KeepwellFreed -Account $Account -Budget $Budget -Target $Target -Bytes $Bytes
}

function Add-KeepwellFreed {
    <#
    .SYNOPSIS
    Count bytes for the filesystem that wants room and for the budget.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Account,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Budget,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Target,
        [Parameter(Mandatory = $true)] [int64] $Bytes
    )
    $Account.by_mount[$Target.mount] = [int64]$Account.by_mount[$Target.mount] + $Bytes
    $Target.avail_bytes += $Bytes
    if ($null -ne $Budget.files) {
        $Budget.files -= 1
    }
    if ($null -ne $Budget.bytes) {
        $Budget.bytes -= $Bytes
    }
}

function Limit-KeepwellTop {
    <#
    .SYNOPSIS
    Keep the 20 largest of what goes.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Account)
    $order = @{ Expression = { $_.bytes }; Descending = $true }, @{ Expression = { $_.path } }
    $kept = @($Account.top | Sort-Object -Property $order | Select-Object -First 20)
    $Account.top.Clear()
    foreach ($each in $kept) {
        $Account.top.Add($each)
    }
}

function ConvertTo-KeepwellAccountDocument {
    <#
    .SYNOPSIS
    Return an account as plain data; list_sha256 is over all paths, a NUL after each, in the order of the walk.
    .DESCRIPTION
    An account that goes on can be told as well, without the hash.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Account,
        [switch] $Ended
    )
    Limit-KeepwellTop -Account $Account
    if ($Ended -and -not $Account.list_sha256) {
        $null = $Account.hash.TransformFinalBlock((New-Object -TypeName 'byte[]' -ArgumentList 0), 0, 0)
        $Account.list_sha256 = [System.BitConverter]::ToString($Account.hash.Hash).Replace('-', '').ToLowerInvariant()
    }
    $document = @{}
    foreach ($name in 'id', 'files', 'folders', 'bytes', 'rest_files', 'rest_bytes', 'oldest', 'newest', 'stopped') {
        $document[$name] = $Account[$name]
    }
    $document.skipped = $Account.skipped.Clone()
    $document.by_mount = $Account.by_mount.Clone()
    $document.notes = @($Account.notes | Select-Object)
    $document.top = @($Account.top | Select-Object)
    $document.list_sha256 = if ($Account.top.Count -gt 0) { [string]$Account.list_sha256 } else { '' }
    return $document
}

function Test-KeepwellReached {
    <#
    .SYNOPSIS
    Return $true when a filesystem has enough room; never while everything that may go is wanted.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Target)
    return $null -ne $Target.wanted_bytes -and $Target.avail_bytes -ge $Target.wanted_bytes
}

function Get-KeepwellSpace {
    <#
    .SYNOPSIS
    Return @{ at; size_bytes; avail_bytes; free_bytes } of a mounted volume.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Mount)
    Import-KeepwellFileTool
    $numbers = [Keepwell.FileTool]::Space($Mount)
    return @{
        at = [System.Diagnostics.Stopwatch]::GetTimestamp() / [System.Diagnostics.Stopwatch]::Frequency
        size_bytes = $numbers[0]
        avail_bytes = $numbers[1]
        free_bytes = $numbers[2]
    }
}

function Get-KeepwellTarget {
    <#
    .SYNOPSIS
    Return the filesystems that want room, by mount point; refuse what is no mounted local volume.
    .DESCRIPTION
    Wanted has mount and target_percent of each; without a percentage everything that may go is wanted.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [AllowEmptyCollection()] [object[]] $Wanted)
    Import-KeepwellFileTool
    $volumes = @(Get-CimInstance -ClassName Win32_Volume -Filter 'DriveType = 3 OR DriveType = 6' -Property Name -ErrorAction Stop)
    $known = @($volumes | ForEach-Object -Process { if ($_.Name.Length -gt 3) { $_.Name.TrimEnd('\') } else { $_.Name } })
    $found = @{}
    foreach ($entry in $Wanted) {
        $mount = [string]$entry.mount
        if ($known -notcontains $mount) {
            Stop-KeepwellRequest -Code 'no_filesystem' -Text "$mount is no mounted local filesystem of this host."
        }
        $numbers = Get-KeepwellSpace -Mount $mount
        $percent = $entry.target_percent
        $found[$mount.ToUpperInvariant()] = @{
            mount = $mount
            target_percent = $percent
            size_bytes = $numbers.size_bytes
            avail_bytes = $numbers.avail_bytes
            wanted_bytes = if ($null -eq $percent) { $null } else { [int64]($numbers.size_bytes * $percent / 100) }
        }
    }
    return $found
}

Export-ModuleMember -Function '*-Keepwell*'
