# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# All rules, one after the other: seen beforehand, or carried out. It is one function, as in _sweep.py.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone: work that outlives its connection takes them along.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup.account
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup.places
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup.rules
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup.servicing
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup.walk
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup.whole
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine

function Invoke-KeepwellSweep {
    <#
    .SYNOPSIS
    Go through the rules of a request; return @{ filesystems; rules; reports }.
    .DESCRIPTION
    Without Act it sees what would be done. Save hears of each rule, before a crash dump goes and when a rule is through.
    Folder is where programs put their words; LimitS is how long one may take.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Request,
        [Parameter(Mandatory = $true)] [double] $Now,
        [Parameter(Mandatory = $true)] [string] $Folder,
        [Parameter(Mandatory = $true)] [double] $LimitS,
        [Parameter()] [AllowNull()] $Save = $null,
        [switch] $Act
    )
    $asked = Get-KeepwellCleanupRequest -Request $Request
    $sweep = @{
        act = [bool]$Act
        now = $Now
        terms = $asked.terms
        targets = Get-KeepwellTarget -Wanted @($asked.filesystems)
        budget = New-KeepwellBudget -Asked $asked['budget']
        pending = @(Get-KeepwellPending)
        folder = $Folder
        limit_s = $LimitS
        save = $Save
    }
    $before = @{}
    $paces = @{}
    foreach ($key in @($sweep.targets.Keys)) {
        $before[$key] = Get-KeepwellSpace -Mount $sweep.targets[$key].mount
        $paces[$key] = @(if ($Act) { Get-KeepwellPace -Mount $sweep.targets[$key].mount })
    }
    $accounts = @()
    foreach ($rule in @(Get-KeepwellRule)) {
        if ($asked.rules -notcontains $rule.id) {
            continue
        }
        if ($Act) {
            Update-KeepwellTarget -Targets $sweep.targets
        }
        if ($Act -and $rule.id -eq 'crash_data') {
            # Evidence first: what is about to go is written down before it goes.
            $seen = Invoke-KeepwellRule -Sweep (Copy-KeepwellSweep -Sweep $sweep) -Rule $rule
            Send-KeepwellAccount -Sweep $sweep -Account ($accounts + @($seen))
        }
        $accounts += Invoke-KeepwellRule -Sweep $sweep -Rule $rule
        Send-KeepwellAccount -Sweep $sweep -Account $accounts
    }
    $filesystems = @(
        foreach ($key in @($sweep.targets.Keys | Sort-Object)) {
            Get-KeepwellOutcome -Sweep $sweep -Target $sweep.targets[$key] -Before $before[$key] -Pace $paces[$key] -Account $accounts
        }
    )
    return @{
        filesystems = $filesystems
        rules = @($accounts | ForEach-Object -Process { ConvertTo-KeepwellAccountDocument -Account $_ -Ended })
        reports = @(if (-not $Act) { Get-KeepwellPreviousWindows })
    }
}

function Copy-KeepwellSweep {
    <#
    .SYNOPSIS
    Return a twin of a sweep that only looks: its budget and its targets are its own.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Sweep)
    $twin = $Sweep.Clone()
    $twin.act = $false
    $twin.budget = Copy-KeepwellBudget -Budget $Sweep.budget
    $twin.targets = @{}
    foreach ($key in @($Sweep.targets.Keys)) {
        $twin.targets[$key] = $Sweep.targets[$key].Clone()
    }
    return $twin
}

function Update-KeepwellTarget {
    <#
    .SYNOPSIS
    Look again at how much is free, before the next rule.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Targets)
    foreach ($key in @($Targets.Keys)) {
        $Targets[$key].avail_bytes = (Get-KeepwellSpace -Mount $Targets[$key].mount).avail_bytes
    }
}

function Send-KeepwellAccount {
    <#
    .SYNOPSIS
    Tell how far the rules are.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Sweep,
        [Parameter(Mandatory = $true)] [object[]] $Account
    )
    if ($null -ne $Sweep.save) {
        $told = @($Account | ForEach-Object -Process { ConvertTo-KeepwellAccountDocument -Account $_ })
        $null = & $Sweep.save @{ rules = $told }
    }
}

function Invoke-KeepwellRule {
    <#
    .SYNOPSIS
    Return the account of one rule; carried out when the sweep acts.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Sweep,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Rule
    )
    $account = New-KeepwellAccount -Rule $Rule.id
    $spent = Get-KeepwellSpent -Budget $Sweep.budget
    if ($spent) {
        $account.stopped = "budget_$spent"
        return $account
    }
    $shared = $Sweep.Clone()
    $shared.account = $account
    $shared.target = $null
    $shared.unread = $false
    $walks = @(
        foreach ($walk in @(Get-KeepwellRuleWalk -Rule $Rule.id -Terms $Sweep.terms -Now $Sweep.now)) {
            foreach ($name in @($shared.Keys)) {
                $walk[$name] = $shared[$name]
            }
            $walk
        }
    )
    switch ($Rule.how) {
        'files' {
            foreach ($walk in $walks) {
                Invoke-KeepwellWalk -Walk $walk
            }
            if ($Rule.id -eq 'crash_data') {
                $dump = $shared.Clone()
                $dump.pattern = ''
                $dump.cutoff = $Sweep.now - 86400 * 7
                $dump.newest = [System.Math]::Max(1, [int]$Sweep.terms.crash_keep)
                Invoke-KeepwellMemoryDump -Walk $dump
            }
        }
        'update_cache' {
            Invoke-KeepwellUpdateCache -Walk $walks
        }
        'recycle_bin' {
            foreach ($base in (Get-KeepwellPlace).recycle_bins) {
                $bin = $shared.Clone()
                $bin.base = $base
                $bin.pattern = ''
                $bin.cutoff = $Sweep.now - 86400 * [double]$Sweep.terms.recycle_days
                Invoke-KeepwellRecycleBin -Walk $bin
            }
        }
        'delivery_optimization' {
            Invoke-KeepwellDeliveryOptimization -Walk $shared
        }
        'component_store' {
            Invoke-KeepwellComponentStore -Walk $shared -Folder $Sweep.folder -Save $Sweep.save
        }
    }
    return $account
}

function Get-KeepwellPace {
    <#
    .SYNOPSIS
    Return bytes a second by which free space changes by itself, from two looks.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Mount)
    $first = Get-KeepwellSpace -Mount $Mount
    Start-Sleep -Milliseconds 500
    $second = Get-KeepwellSpace -Mount $Mount
    return ($second.free_bytes - $first.free_bytes) / [System.Math]::Max(0.001, $second.at - $first.at)
}

function Get-KeepwellOutcome {
    <#
    .SYNOPSIS
    Return what was expected of a filesystem, and what came of it.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Sweep,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Target,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Before,
        [Parameter(Mandatory = $true)] [AllowEmptyCollection()] [double[]] $Pace,
        [Parameter(Mandatory = $true)] [AllowEmptyCollection()] [object[]] $Account
    )
    $predicted = [int64]0
    foreach ($entry in $Account) {
        $predicted += [int64]$entry.by_mount[$Target.mount]
    }
    $document = @{
        mount = $Target.mount
        size_bytes = $Before.size_bytes
        target_percent = $Target.target_percent
        avail_before_bytes = $Before.avail_bytes
        inodes_free_before = $null
        predicted_bytes = $predicted
        avail_after_bytes = $null
        inodes_free_after = $null
        actual_bytes = $null
        gap_bytes = $null
        explained = $true
        reasons = @()
    }
    if (-not $Sweep.act) {
        return $document
    }
    # What was freed may take a moment to arrive.
    foreach ($try in 1..30) {
        $after = Get-KeepwellSpace -Mount $Target.mount
        if ($after.free_bytes - $Before.free_bytes -ge $predicted * 0.95) {
            break
        }
        Start-Sleep -Milliseconds 100
    }
    $rates = $Pace + @(Get-KeepwellPace -Mount $Target.mount)
    $written = [int64](-(($rates | Measure-Object -Average).Average) * ($after.at - $Before.at))
    $found = Get-KeepwellGap -Predicted $predicted -Actual ($after.avail_bytes - $Before.avail_bytes) -Written $written -Tolerance $Sweep.terms.gap_percent
    foreach ($name in @($found.Keys)) {
        $document[$name] = $found[$name]
    }
    $document.avail_after_bytes = $after.avail_bytes
    return $document
}

function Get-KeepwellGap {
    <#
    .SYNOPSIS
    Return @{ actual_bytes; gap_bytes; explained; reasons }: why another amount became free than was deleted.
    .DESCRIPTION
    Written is what others wrote meanwhile, by the pace before and after; below zero when they freed.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [int64] $Predicted,
        [Parameter(Mandatory = $true)] [int64] $Actual,
        [Parameter(Mandatory = $true)] [int64] $Written,
        [Parameter(Mandatory = $true)] [double] $Tolerance
    )
    $noise = [System.Math]::Max(65536, $Predicted * $Tolerance / 100)
    $gap = $Predicted - $Actual
    $rest = $gap
    $reasons = @()
    if ([System.Math]::Abs($Written) -gt 65536 -and $Written * [double]$rest -gt 0) {
        $share = if ([System.Math]::Abs($Written) -lt [System.Math]::Abs($rest)) { $Written } else { $rest }
        $word = if ($Written -gt 0) { 'others wrote' } else { 'others freed' }
        $reasons += @{ code = 'writers'; bytes = $share; text = "$word at the same time, by the pace before and after" }
        $rest -= $share
    }
    $small = [System.Math]::Abs($gap) -le $noise
    $unexplained = [System.Math]::Abs($rest) -gt $noise
    if (-not $small -and $unexplained) {
        $reasons += @{ code = 'unknown'; bytes = $rest; text = 'nothing was found that explains it' }
    }
    return @{
        actual_bytes = $Actual
        gap_bytes = $gap
        explained = ($small -or -not $unexplained)
        reasons = @(if (-not $small) { $reasons })
    }
}

function Get-KeepwellPreviousWindows {
    <#
    .SYNOPSIS
    Return what is only told: what an upgrade left, by which Windows can be taken back; a person decides.
    #>
    [CmdletBinding()]
    param()
    $drive = [System.IO.Path]::GetPathRoot([System.Environment]::SystemDirectory)
    $machine = New-KeepwellMachine -LimitS 60
    $values = Get-KeepwellRegistryValue -Machine $machine -Key 'SYSTEM\Setup'
    $days = if ($null -ne $values -and $values['UninstallWindow']) { [int]$values['UninstallWindow'] } else { 10 }
    $items = @()
    foreach ($name in 'Windows.old', '$WINDOWS.~BT', '$Windows.~WS') {
        $path = "$drive$name"
        if ([System.IO.Directory]::Exists($path)) {
            $made = [System.IO.Directory]::GetCreationTimeUtc($path)
            $old = [int]([System.DateTime]::UtcNow - $made).TotalDays
            $more = if ($name -eq 'Windows.old' -and $old -le $days) { "; the way back, for $($days - $old) days more" } else { '' }
            $items += "$path, $old days old$more"
        }
    }
    return @{ id = 'previous_windows'; count = $items.Count; items = $items; note = '' }
}

Export-ModuleMember -Function '*-Keepwell*'
