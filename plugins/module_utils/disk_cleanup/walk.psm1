# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The walk that finds what may go, and lets it go when it is asked to: as _engine.py elsewhere.
#
# There is one walk. A preview is this walk without its last step, so both see, judge and count the same.
#
# A walk is a hashtable: base (where it begins), pattern (what may go, by name; '' is everything), cutoff (epoch seconds:
# what was made or written later stays), recurse, folders (empty ones go too), newest (so many of a folder stay); and
# from the sweep: act, budget, account, target, pending (paths that wait for the next start of Windows).
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone: work that outlives its connection takes them along.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup.account
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup.file_tool
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup.places

function Invoke-KeepwellWalk {
    <#
    .SYNOPSIS
    Walk through one allowed folder; everything that is to tell is in the account.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Walk)
    $base = Open-KeepwellPlace -Walk $Walk
    if (-not $base) {
        return
    }
    try {
        $null = Invoke-KeepwellWalkFolder -Walk $Walk -Path $base -Depth 0
    }
    catch [System.InvalidOperationException] {
        $reason = $_.Exception.Data['keepwell_stop']
        if (-not $reason) {
            throw
        }
        $Walk.account.stopped = [string]$reason
    }
}

function Open-KeepwellPlace {
    <#
    .SYNOPSIS
    Return the base of a walk when something may go there now; $null when it is absent, a link, or on another volume.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Walk)
    Import-KeepwellFileTool
    $base = $Walk.base.TrimEnd('\')
    Assert-KeepwellPlace -Path $base
    $wrong = [Keepwell.FileTool]::Check($base)
    if ($wrong) {
        if ($wrong -ne 'absent') {
            $Walk.account.notes.Add("$base was left alone: $wrong.")
        }
        return $null
    }
    $Walk.target = $Walk.targets[[Keepwell.FileTool]::Mount($base).ToUpperInvariant()]
    if ($null -eq $Walk.target) {
        return $null
    }
    return $base
}

function Get-KeepwellVerdict {
    <#
    .SYNOPSIS
    Return why a file stays; '' when it may go; $null when it is none of the rule's business.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Walk,
        [Parameter(Mandatory = $true)] [string] $Path,
        [Parameter(Mandatory = $true)] $Entry
    )
    if ($Walk.pattern -and $Entry.Name -notmatch $Walk.pattern) {
        return $null
    }
    # Registry hives of users, whoever put one there.
    if ($Entry.Name -match '^(ntuser|usrclass)\.') {
        return 'kept'
    }
    if ($Entry.IsLink) {
        return 'reparse'
    }
    if ($Entry.IsElsewhere) {
        return 'cloud'
    }
    if ($Walk.pending -contains $Path) {
        return 'pending'
    }
    # A file that was copied here keeps the time at which it was written: the later of both counts.
    if ($Entry.When -ge $Walk.cutoff) {
        return 'age'
    }
    return ''
}

function Get-KeepwellListing {
    <#
    .SYNOPSIS
    Return what is in a folder, by name; nothing where it cannot be read, which is counted.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Walk,
        [Parameter(Mandatory = $true)] [string] $Path
    )
    try {
        return [Keepwell.FileTool]::List($Path)
    }
    catch [System.ComponentModel.Win32Exception] {
        $reasons = @{ 3 = 'gone'; 5 = 'denied'; 32 = 'open' }
        $reason = $reasons[[int]$_.Exception.NativeErrorCode]
        Add-KeepwellSkip -Account $Walk.account -Reason $(if ($reason) { $reason } else { 'error' })
        $Walk.unread = $true
    }
}

function Invoke-KeepwellWalkFolder {
    <#
    .SYNOPSIS
    Deal with what is in a folder; return how many entries stay in it.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Walk,
        [Parameter(Mandatory = $true)] [string] $Path,
        [Parameter(Mandatory = $true)] [int] $Depth
    )
    $Walk.unread = $false
    $entries = @(Get-KeepwellListing -Walk $Walk -Path $Path)
    if ($Walk.unread) {
        return 1
    }
    $found = New-Object -TypeName 'System.Collections.Generic.List[object]'
    $folders = New-Object -TypeName 'System.Collections.Generic.List[object]'
    $stay = 0
    foreach ($entry in $entries) {
        # Also where nothing goes: a tree of millions of young files takes time as well.
        if (Get-KeepwellSpent -Budget $Walk.budget -Late) {
            Stop-KeepwellSweep -Reason 'budget_seconds'
        }
        $stay += 1
        if ($entry.IsFolder -and -not $entry.IsLink) {
            $folders.Add($entry)
            continue
        }
        if ($entry.IsFolder) {
            # A junction, or a folder of another volume: never entered, never removed.
            if (-not $Walk.pattern) {
                Add-KeepwellSkip -Account $Walk.account -Reason 'reparse'
            }
            continue
        }
        $word = Get-KeepwellVerdict -Walk $Walk -Path "$Path\$($entry.Name)" -Entry $entry
        if ($word -eq '') {
            $found.Add($entry)
        }
        elseif ($null -ne $word) {
            Add-KeepwellSkip -Account $Walk.account -Reason $word
        }
    }
    # The oldest first: where a target ends the work, what is left is the youngest.
    $files = @($found | Sort-Object -Property When, Name)
    if ($Walk.newest -gt 0 -and $files.Count -gt 0) {
        $kept = [System.Math]::Min([int]$Walk.newest, $files.Count)
        Add-KeepwellSkip -Account $Walk.account -Reason 'newest' -Count $kept
        $files = @($files | Select-Object -First ($files.Count - $kept))
    }
    foreach ($entry in $files) {
        $stay -= Invoke-KeepwellTake -Walk $Walk -Path "$Path\$($entry.Name)" -Entry $entry
    }
    if (-not $Walk.recurse) {
        return $stay
    }
    foreach ($entry in $folders) {
        $stay -= Invoke-KeepwellWalkBelow -Walk $Walk -Path "$Path\$($entry.Name)" -Entry $entry -Depth ($Depth + 1)
    }
    return $stay
}

function Invoke-KeepwellWalkBelow {
    <#
    .SYNOPSIS
    Deal with a folder in a folder; return 1 when it goes itself.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Walk,
        [Parameter(Mandatory = $true)] [string] $Path,
        [Parameter(Mandatory = $true)] $Entry,
        [Parameter(Mandatory = $true)] [int] $Depth
    )
    if ($Depth -gt 60) {
        Add-KeepwellSkip -Account $Walk.account -Reason 'depth'
        return 0
    }
    # Asked before its files go: letting them go changes the folder.
    $old = $Entry.When -lt $Walk.cutoff
    $stay = Invoke-KeepwellWalkFolder -Walk $Walk -Path $Path -Depth $Depth
    if ($stay -gt 0 -or -not $Walk.folders -or -not $old) {
        return 0
    }
    # Temp\2 is the temporary folder of a session, Temp\Low that of programs with little trust. Windows makes both at
    # sign-in alone: without it whoever is signed in cannot work until he signs in anew.
    if ($Depth -eq 1 -and $Path -match '\\(\d{1,5}|Low)$') {
        Add-KeepwellSkip -Account $Walk.account -Reason 'kept'
        return 0
    }
    return Invoke-KeepwellTakeFolder -Walk $Walk -Path $Path
}

function Invoke-KeepwellTakeFolder {
    <#
    .SYNOPSIS
    Let an empty folder go; return 1 when it went (or would have gone).
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Walk,
        [Parameter(Mandatory = $true)] [string] $Path
    )
    $spent = Get-KeepwellSpent -Budget $Walk.budget
    if ($spent) {
        Stop-KeepwellSweep -Reason "budget_$spent"
    }
    if (Test-KeepwellReached -Target $Walk.target) {
        return 0
    }
    $taken = [Keepwell.FileTool]::Take($Path, 0, $true, $Walk.act)
    if ($taken.Word) {
        Add-KeepwellUntaken -Walk $Walk -Reason $taken.Word
        return 0
    }
    $Walk.account.folders += 1
    return 1
}

function Invoke-KeepwellTake {
    <#
    .SYNOPSIS
    Let a file go when nothing stands against it; return 1 when it went (or would have gone).
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Walk,
        [Parameter(Mandatory = $true)] [string] $Path,
        [Parameter(Mandatory = $true)] $Entry
    )
    $spent = Get-KeepwellSpent -Budget $Walk.budget
    if ($spent) {
        Stop-KeepwellSweep -Reason "budget_$spent"
    }
    $reached = Test-KeepwellReached -Target $Walk.target
    if ($reached -and $Walk.act) {
        Stop-KeepwellSweep -Reason 'target'
    }
    $taken = [Keepwell.FileTool]::Take($Path, $Entry.Written, $false, ($Walk.act -and -not $reached))
    if ($taken.Word) {
        Add-KeepwellUntaken -Walk $Walk -Reason $taken.Word
        return 0
    }
    if ($reached) {
        # A preview also tells what the rules could bring beyond the target.
        $Walk.account.stopped = 'target'
        $Walk.account.rest_files += 1
        $Walk.account.rest_bytes += $taken.Bytes
        return 0
    }
    Add-KeepwellTaken -Account $Walk.account -Budget $Walk.budget -Target $Walk.target -Path $Path -Bytes $taken.Bytes -When $Entry.When
    return 1
}

function Add-KeepwellUntaken {
    <#
    .SYNOPSIS
    Count what stays; a disk that cannot be written ends the work.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Walk,
        [Parameter(Mandatory = $true)] [string] $Reason
    )
    if (@('read_only', 'disk_error') -contains $Reason) {
        Stop-KeepwellSweep -Reason $Reason
    }
    Add-KeepwellSkip -Account $Walk.account -Reason $Reason
}

Export-ModuleMember -Function '*-Keepwell*'
