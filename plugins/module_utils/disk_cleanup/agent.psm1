# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Everything that disk cleanup asks of a Windows host: the operations of _agent.py, by the same names.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone: work that outlives its connection takes them along.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.answer
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.folder
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.jobs
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.work
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup.growers
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup.growth
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup.rules
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup.sweep

function Get-KeepwellDiskCleanupAgent {
    <#
    .SYNOPSIS
    Return the agent of this chore (see chores/answer.psm1).
    #>
    [CmdletBinding()]
    param()
    return @{
        title = 'Disk cleanup'
        operations = @{
            preview = { param($Request) Get-KeepwellCleanupPreview -Request (ConvertTo-KeepwellHashtable -Value $Request) }
            growers = { param($Request) Get-KeepwellGrowerAnswer -Request (ConvertTo-KeepwellHashtable -Value $Request) }
            plan_growth = { param($Request) Get-KeepwellGrowthAnswer -Request (ConvertTo-KeepwellHashtable -Value $Request) }
            start = { param($Request) Start-KeepwellCleanup -Request (ConvertTo-KeepwellHashtable -Value $Request) }
            status = { param($Request) Get-KeepwellCleanupStatus -Id ([string]$Request['id']) }
            unfinished = {
                param($Request)
                $field = 'id', 'kind', 'run_id', 'client', 'host', 'phase', 'outcome', 'code', 'text', 'started_at'
                @{ work = (Get-KeepwellUnfinishedWork -Chore 'disk_cleanup' -Field $field) }
            }
            recorded = { param($Request) Set-KeepwellWorkRecorded -Chore 'disk_cleanup' -Id ([string]$Request['id']) }
            clean = {
                param($Request)
                $asked = ConvertTo-KeepwellHashtable -Value $Request
                Remove-KeepwellOldWork -Chore 'disk_cleanup' -KeepDays ([double]$asked.keep_days) -Now $asked['now']
            }
        }
        needed = @{
            growers = @('mounts', 'entries', 'seconds')
            plan_growth = @('mounts')
            status = @('id')
            recorded = @('id')
            clean = @('keep_days')
        }
        reading = @('preview', 'growers', 'plan_growth', 'status', 'unfinished')
    }
}

function Get-KeepwellCleanupPreview {
    <#
    .SYNOPSIS
    Return what a cleanup would find and do. Programs put their words into a folder that is gone afterwards.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Request)
    $scratch = Join-Path -Path ([System.IO.Path]::GetTempPath()) -ChildPath ('keepwell-{0}' -f [System.Guid]::NewGuid().ToString('N'))
    $null = [System.IO.Directory]::CreateDirectory($scratch, (New-KeepwellSecurity))
    try {
        return Invoke-KeepwellSweep -Request $Request -Now (Get-KeepwellNow) -Folder $scratch -LimitS 900
    }
    finally {
        Remove-Item -LiteralPath $scratch -Recurse -Force -ErrorAction SilentlyContinue
    }
}

function Get-KeepwellGrowerAnswer {
    <#
    .SYNOPSIS
    Return what is large on the volumes that were asked for.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Request)
    $found = @(Get-KeepwellGrower -Mount @($Request.mounts) -Entries $Request.entries -Seconds $Request.seconds)
    return @{ filesystems = $found }
}

function Get-KeepwellGrowthAnswer {
    <#
    .SYNOPSIS
    Return how the volumes that were asked for would be made larger, or why not.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Request)
    return @{ plans = @($Request.mounts | ForEach-Object -Process { Get-KeepwellGrowth -Wanted $_ }) }
}

function Start-KeepwellCleanup {
    <#
    .SYNOPSIS
    Start what a request asks for, or attach to it when it was started already.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Request)
    Assert-KeepwellField -Request $Request -Name 'id', 'run_id', 'client', 'host', 'kind'
    if ($Request.kind -eq 'cleanup') {
        # Refuses what may not be done before anything is written.
        $null = Get-KeepwellCleanupRequest -Request $Request
    }
    else {
        Assert-KeepwellField -Request $Request -Name 'mounts'
    }
    $limits = @{ runtime_s = 3600; nice = 19 }
    if ($null -ne $Request['limits']) {
        foreach ($name in @($Request['limits'].Keys)) {
            $limits[$name] = $Request['limits'][$name]
        }
    }
    $Request['limits'] = $limits
    $own = @{ kind = [string]$Request.kind; filesystems = @(); rules = @(); steps = @() }
    return Start-KeepwellWork -Chore 'disk_cleanup' -Request $Request -Own $own -Work 'Invoke-KeepwellCleanupWork'
}

function Get-KeepwellCleanupStatus {
    <#
    .SYNOPSIS
    Return the state of a piece of work; one whose program is gone before its end is judged now.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $Id)
    return Get-KeepwellWorkStatus -Chore 'disk_cleanup' -Id $Id -Interrupted {
        param($State, $How)
        Get-KeepwellCleanupEnd -State $State -How $How
    }
}

function Get-KeepwellCleanupEnd {
    <#
    .SYNOPSIS
    Return the end of work whose program did not live to write it down: what it told last is what is known.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $State,
        [Parameter(Mandatory = $true)] [string] $How
    )
    $touched = @('cleaning', 'growing') -contains $State.phase
    $gone = 0
    foreach ($rule in @($State.rules)) {
        $gone += [int]$rule.files
    }
    $came = 'Nothing was changed yet.'
    if ($State.phase -eq 'growing') {
        $came = 'A partition may be larger already and its filesystem not: look at it before the next run.'
    }
    elseif ($touched) {
        $came = "At least $gone files had gone. No file is half done; DISM, where it was at work, goes on by itself."
    }
    return @{
        outcome = if ($touched) { 'failed' } else { 'refused' }
        text = "$How in the middle of the work (phase $($State.phase)). $came"
    }
}

function Invoke-KeepwellCleanupWork {
    <#
    .SYNOPSIS
    Do what the request asks for: one cleanup, or one growth (see chores/jobs.psm1).
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Request,
        [Parameter(Mandatory = $true)] [scriptblock] $Save
    )
    if ($Request.kind -eq 'grow') {
        return Invoke-KeepwellGrowthWork -Request $Request -Save $Save
    }
    $null = & $Save @{ phase = 'cleaning' }
    $done = Invoke-KeepwellSweep -Request $Request -Now (Get-KeepwellNow) -Folder $Request.folder -LimitS $Request.limits.runtime_s -Save $Save -Act
    $gone = 0
    foreach ($rule in $done.rules) {
        $gone += [int]$rule.files
    }
    $end = @{ outcome = 'done'; code = ''; text = "$gone files went."; rules = $done.rules; filesystems = $done.filesystems }
    $broken = @($done.rules | Where-Object -FilterScript { @('read_only', 'disk_error', 'command_failed') -contains $_.stopped })
    if ($broken.Count -gt 0) {
        $last = if ($broken[0].stopped -eq 'command_failed') { ": $(@($broken[0].notes)[-1])" } else { '' }
        $end.outcome = 'failed'
        $end.code = $broken[0].stopped
        $end.text = "$($broken[0].id) ended early ($($broken[0].stopped.Replace('_', ' ')))$last."
    }
    return $end
}

function Invoke-KeepwellGrowthWork {
    <#
    .SYNOPSIS
    Make volumes larger, one after the other; the first that fails ends it.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Request,
        [Parameter(Mandatory = $true)] [scriptblock] $Save
    )
    # Disks of virtual machines grow while they run; Windows looks again when it is asked to.
    Update-HostStorageCache -ErrorAction SilentlyContinue
    $null = & $Save @{ phase = 'growing' }
    $steps = @()
    foreach ($wanted in @($Request.mounts)) {
        $plan = Get-KeepwellGrowth -Wanted $wanted
        if ($null -ne $plan.refused) {
            Stop-KeepwellRequest -Code $plan.refused.code -Text $plan.refused.text
        }
        $step = Invoke-KeepwellGrowth -Plan $plan
        $steps += $step
        $null = & $Save @{ steps = $steps }
        if ($step.grown_bytes -eq 0) {
            return @{ outcome = 'failed'; code = 'grow_failed'; text = $step.text }
        }
    }
    return @{ outcome = 'done'; code = ''; text = (@($steps | ForEach-Object -Process { $_.text }) -join '; ') }
}

Export-ModuleMember -Function '*-Keepwell*'
