# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.answer
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.jobs
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.rounds
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.patching.offers
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.patching.space
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine

# What the host remembers of a round of updates: that it was begun, by whom, and which updates it is.
#
# Where the notes are, and which round is still at work, is in chores/rounds.psm1. What came of a round is not in its note:
# that is in Windows' own history of updates, which the packages probe reads.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone, no variables of the module.

function Set-KeepwellNote {
    <#
    .SYNOPSIS
    Write a note; the registry writes a value whole or not at all.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [object] $Note
    )
    $path = Get-KeepwellNotePath -Id $Note.id
    if (-not (Test-Path -LiteralPath $path)) {
        $null = New-Item -Path $path -Force -ErrorAction Stop
    }
    $text = ConvertTo-Json -InputObject $Note -Depth 6 -Compress
    $null = New-ItemProperty -LiteralPath $path -Name 'note' -Value $text -PropertyType String -Force -ErrorAction Stop
}

function Get-KeepwellRoundSummary {
    <#
    .SYNOPSIS
    Return what is told of a note, with alive: whether something may still be at work on it.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [object] $Note
    )
    $alive = Test-KeepwellRoundAlive -Note $Note
    return @{
        id = $Note.id
        kind = 'apply'
        run_id = $Note.run_id
        client = $Note.client
        host = $Note.host
        plan_hash = $Note.plan_hash
        started_at = $Note.started_at
        moves = @($Note.moves)
        phase = if ($alive) { 'applying' } else { 'ended' }
        outcome = $null
        recorded = [bool]$Note.recorded
        alive = $alive
    }
}

function Get-KeepwellUnfinishedRound {
    <#
    .SYNOPSIS
    Return @{ transactions }: rounds whose end is in nobody's evidence yet, oldest first.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Request
    )
    $null = $Request
    $open = @(Get-KeepwellNote | Where-Object -FilterScript { -not $_.recorded })
    return @{ transactions = @($open | ForEach-Object -Process { Get-KeepwellRoundSummary -Note $_ }) }
}

function Get-KeepwellRoundStatus {
    <#
    .SYNOPSIS
    Return how a round stands.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Request
    )
    $note = Get-KeepwellNote -Id $Request['id']
    if ($null -eq $note) {
        Stop-KeepwellRequest -Code 'unknown_work' -Text "This host knows no work $($Request['id'])."
    }
    return Get-KeepwellRoundSummary -Note $note
}

function Start-KeepwellRound {
    <#
    .SYNOPSIS
    Note that a round begins, unless something stands against it: @{ id; started; attached; code; text; started_at }.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Request
    )
    $answer = @{ id = $Request['id']; started = $false; attached = $false; code = ''; text = ''; started_at = $null }
    $known = Get-KeepwellNote -Id $Request['id']
    if ($null -ne $known) {
        $answer.attached = $true
        $answer.started_at = $known.started_at
        return $answer
    }
    $against = Get-KeepwellObstacle -Request $Request
    if ($null -ne $against) {
        $answer.code = $against.code
        $answer.text = $against.text
        return $answer
    }
    $answer.started_at = ConvertTo-KeepwellEpoch -Moment ([System.DateTime]::UtcNow)
    Set-KeepwellNote -Note @{
        id = $Request['id']
        run_id = $Request['run_id']
        client = $Request['client']
        host = $Request['host']
        plan_hash = $Request['plan_hash']
        moves = @($Request['moves'])
        runtime_s = $Request['runtime_s']
        started_at = $answer.started_at
        recorded = $false
    }
    $answer.started = $true
    return $answer
}

function Get-KeepwellObstacle {
    <#
    .SYNOPSIS
    Return @{ code; text } of the first thing against installing now, $null when there is none.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Request
    )
    $machine = New-KeepwellMachine -LimitS 300
    $other = Get-KeepwellBusy
    if ($other) {
        return @{ code = 'host_locked'; text = "Keepwell is at work on this host already: $other." }
    }
    $busy = @(Get-KeepwellInstaller -Machine $machine)
    if ($busy.Count -gt 0) {
        $names = @($busy | ForEach-Object -Process { $_.process } | Sort-Object -Unique) -join ', '
        return @{ code = 'locked'; text = "Another installation is at work: $names." }
    }
    foreach ($name in @('servicing', 'Windows Installer')) {
        if ($machine.sources[$name].status -ne 'ok') {
            return @{ code = 'locked'; text = "Whether another installation is at work cannot be seen ($name)." }
        }
    }
    $free = Get-KeepwellSystemSpace -Machine $machine
    if ($null -ne $free -and $free.free_bytes -lt $Request['reserve_bytes']) {
        $text = "There is no room for the updates: $($free.free_bytes) bytes are free on $($free.mount), "
        return @{ code = 'disk_full'; text = $text + "$($Request['reserve_bytes']) are needed." }
    }
    $changed = Get-KeepwellOfferChange -Moves @($Request['moves']) -Licences ([bool]$Request['licences'])
    if ($changed) {
        $text = "The host would now do something else than was approved: $changed."
        return @{ code = 'plan_changed'; text = $text }
    }
    return $null
}

function Set-KeepwellRoundRecorded {
    <#
    .SYNOPSIS
    Note that the end of a round is in evidence, so that no later run takes it up.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Request
    )
    $note = Get-KeepwellNote -Id $Request['id']
    if ($null -eq $note) {
        Stop-KeepwellRequest -Code 'unknown_work' -Text "This host knows no work $($Request['id'])."
    }
    $note.recorded = $true
    Set-KeepwellNote -Note $note
    return @{ recorded = $true }
}

function Clear-KeepwellRound {
    <#
    .SYNOPSIS
    Remove notes that are in evidence and older than that: @{ removed; kept } with their ids.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Request
    )
    $now = $Request['now']
    if ($null -eq $now) {
        $now = ConvertTo-KeepwellEpoch -Moment ([System.DateTime]::UtcNow)
    }
    $oldest = $now - 86400 * $Request['keep_days']
    $removed = @()
    $kept = @()
    foreach ($note in @(Get-KeepwellNote)) {
        if ($note.recorded -and $note.started_at -lt $oldest) {
            Remove-Item -LiteralPath (Get-KeepwellNotePath -Id $note.id) -Recurse -Force -ErrorAction Stop
            $removed += $note.id
        }
        else {
            $kept += $note.id
        }
    }
    return @{ removed = $removed; kept = $kept }
}

Export-ModuleMember -Function @(
    'Clear-KeepwellRound'
    'Get-KeepwellObstacle'
    'Get-KeepwellRoundStatus'
    'Get-KeepwellRoundSummary'
    'Get-KeepwellUnfinishedRound'
    'Set-KeepwellNote'
    'Set-KeepwellRoundRecorded'
    'Start-KeepwellRound'
)
