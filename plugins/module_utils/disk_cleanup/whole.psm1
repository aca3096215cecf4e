# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Rules for what belongs together and goes as a whole or not at all: things in recycle bins, and the memory dump.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone: work that outlives its connection takes them along.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup.account
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup.file_tool
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup.places
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup.walk

function Invoke-KeepwellRecycleBin {
    <#
    .SYNOPSIS
    Go through the recycle bins of a volume: what was put there before the cutoff goes, as a whole.
    .DESCRIPTION
    Of each thing there are two: $I and a name tells where it was and when it was deleted, $R and the same name is the thing
    itself. $I is made at that moment, so its age counts. A $R without its $I is nobody's to judge and stays.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Walk)
    $base = Open-KeepwellPlace -Walk $Walk
    if (-not $base) {
        return
    }
    try {
        foreach ($bin in @(Get-KeepwellListing -Walk $Walk -Path $base)) {
            if (-not $bin.IsFolder -or $bin.IsLink -or $bin.Name -notmatch '^S-1-[\d-]+$') {
                continue
            }
            $inside = @(Get-KeepwellListing -Walk $Walk -Path "$base\$($bin.Name)")
            $things = @{}
            foreach ($entry in $inside) {
                $things[$entry.Name] = $entry
            }
            $told = @($inside | Where-Object -FilterScript { $_.Name -match '^\$I' -and -not $_.IsFolder } | Sort-Object -Property When, Name)
            foreach ($entry in $told) {
                Invoke-KeepwellRecycled -Walk $Walk -Folder "$base\$($bin.Name)" -Entry $entry -Thing $things['$R' + $entry.Name.Substring(2)]
            }
        }
    }
    catch [System.InvalidOperationException] {
        $reason = $_.Exception.Data['keepwell_stop']
        if (-not $reason) {
            throw
        }
        $Walk.account.stopped = [string]$reason
    }
}

function Invoke-KeepwellRecycled {
    <#
    .SYNOPSIS
    Let one deleted thing go, with the entry that tells of it.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Walk,
        [Parameter(Mandatory = $true)] [string] $Folder,
        [Parameter(Mandatory = $true)] $Entry,
        [Parameter()] [AllowNull()] $Thing
    )
    $word = Get-KeepwellVerdict -Walk $Walk -Path "$Folder\$($Entry.Name)" -Entry $Entry
    if ($word) {
        Add-KeepwellSkip -Account $Walk.account -Reason $word
        return
    }
    $whole = $true
    if ($null -ne $Thing -and ($Thing.IsLink -or $Thing.IsElsewhere)) {
        Add-KeepwellSkip -Account $Walk.account -Reason $(if ($Thing.IsLink) { 'reparse' } else { 'cloud' })
        return
    }
    if ($null -ne $Thing -and $Thing.IsFolder) {
        # A folder as it is: whatever age its files have, but never through a link.
        if (-not (Test-KeepwellPlainTree -Walk $Walk -Path "$Folder\$($Thing.Name)" -Depth 1)) {
            Add-KeepwellSkip -Account $Walk.account -Reason 'reparse'
            return
        }
        $inner = $Walk.Clone()
        $inner.cutoff = [double]::MaxValue
        $inner.pattern = ''
        $inner.folders = $true
        $inner.recurse = $true
        $left = Invoke-KeepwellWalkFolder -Walk $inner -Path "$Folder\$($Thing.Name)" -Depth 1
        $whole = $left -eq 0 -and (Invoke-KeepwellTakeFolder -Walk $Walk -Path "$Folder\$($Thing.Name)") -eq 1
    }
    elseif ($null -ne $Thing) {
        $whole = (Invoke-KeepwellTake -Walk $Walk -Path "$Folder\$($Thing.Name)" -Entry $Thing) -eq 1
    }
    if ($whole) {
        $null = Invoke-KeepwellTake -Walk $Walk -Path "$Folder\$($Entry.Name)" -Entry $Entry
    }
}

function Test-KeepwellPlainTree {
    <#
    .SYNOPSIS
    Return $true when a folder holds files and folders alone: no link, nothing that is in a cloud, not too deep.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Walk,
        [Parameter(Mandatory = $true)] [string] $Path,
        [Parameter(Mandatory = $true)] [int] $Depth
    )
    $Walk.unread = $false
    $entries = @(Get-KeepwellListing -Walk $Walk -Path $Path)
    if ($Walk.unread -or $Depth -gt 60) {
        return $false
    }
    foreach ($entry in $entries) {
        if ($entry.IsLink -or $entry.IsElsewhere) {
            return $false
        }
        if ($entry.IsFolder -and -not (Test-KeepwellPlainTree -Walk $Walk -Path "$Path\$($entry.Name)" -Depth ($Depth + 1))) {
            return $false
        }
    }
    return $true
}

function Invoke-KeepwellMemoryDump {
    <#
    .SYNOPSIS
    Let the memory of the last crash go when newer minidumps tell of so many crashes since, and it is older than a week.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Walk)
    Import-KeepwellFileTool
    $path = Get-KeepwellMemoryDump
    $folder = Split-Path -Path $path -Parent
    $Walk.target = $Walk.targets[[Keepwell.FileTool]::Mount($folder).ToUpperInvariant()]
    if ($null -eq $Walk.target -or [Keepwell.FileTool]::Check($folder)) {
        return
    }
    $entry = @([Keepwell.FileTool]::List($folder) | Where-Object -FilterScript { $_.Name -eq 'MEMORY.DMP' }) | Select-Object -First 1
    if ($null -eq $entry) {
        return
    }
    $word = Get-KeepwellVerdict -Walk $Walk -Path $path -Entry $entry
    if ($word) {
        Add-KeepwellSkip -Account $Walk.account -Reason $word
        return
    }
    $newer = 0
    foreach ($place in (Get-KeepwellPlace).minidumps) {
        if (-not [Keepwell.FileTool]::Check($place)) {
            $newer += @([Keepwell.FileTool]::List($place) | Where-Object -FilterScript { $_.Name -match '\.dmp$' -and $_.When -gt $entry.When }).Count
        }
    }
    if ($newer -lt $Walk.newest) {
        Add-KeepwellSkip -Account $Walk.account -Reason 'newest'
        return
    }
    try {
        $null = Invoke-KeepwellTake -Walk $Walk -Path $path -Entry $entry
    }
    catch [System.InvalidOperationException] {
        $reason = $_.Exception.Data['keepwell_stop']
        if (-not $reason) {
            throw
        }
        $Walk.account.stopped = [string]$reason
    }
}

Export-ModuleMember -Function '*-Keepwell*'
