# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The one entry to everything that antivirus work asks of a Windows host: the operations of _agent.py.
#
# Runs on managed hosts: Windows PowerShell 5.1.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.answer
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.jobs
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.work
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.antivirus.defender
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.antivirus.care

function Get-KeepwellAntivirusAgent {
    <#
    .SYNOPSIS
    The agent of antivirus work; see answer.psm1.
    #>
    [CmdletBinding()]
    param()
    return @{
        title = 'Antivirus work'
        operations = @{
            look = { param($Asked) Get-KeepwellAntivirusLook -Asked $Asked }
            start = { param($Asked) Start-KeepwellAntivirusWork -Asked $Asked }
            status = { param($Asked) Get-KeepwellAntivirusStatus -Id ([string]$Asked['id']) }
            unfinished = { param($Asked) Get-KeepwellAntivirusUnfinished }
            recorded = { param($Asked) Set-KeepwellWorkRecorded -Chore 'antivirus' -Id ([string]$Asked['id']) }
            clean = { param($Asked) Remove-KeepwellOldWork -Chore 'antivirus' -KeepDays ([double]$Asked['keep_days']) -Now $Asked['now'] }
        }
        needed = @{ status = @('id'); recorded = @('id'); clean = @('keep_days') }
        reading = @('look', 'status', 'unfinished')
    }
}

function Start-KeepwellAntivirusWork {
    <#
    .SYNOPSIS
    Start the work of a request, or attach to it when it was started already.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Asked)
    Assert-KeepwellField -Request $Asked -Name 'id', 'run_id', 'client', 'host', 'steps'
    $unknown = @($Asked['steps'] | Where-Object -FilterScript { @('repair', 'update', 'scan') -notcontains $_ })
    if ($unknown.Count -gt 0) {
        Stop-KeepwellRequest -Code 'bad_request' -Text "Windows hosts have no steps $($unknown -join ', ')."
    }
    $own = @{ steps = @($Asked['steps']); results = @{}; progress = @{}; waits_until = $null }
    return Start-KeepwellWork -Chore 'antivirus' -Request $Asked -Own $own -Work 'Invoke-KeepwellAntivirusWork'
}

function Get-KeepwellAntivirusStatus {
    <#
    .SYNOPSIS
    The state of a piece of work; one whose program is gone before its end is judged now.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $Id)
    return Get-KeepwellWorkStatus -Chore 'antivirus' -Id $Id -Interrupted {
        param($State, $How)
        $done = @($State.steps | Where-Object -FilterScript { $State.results.ContainsKey($_) })
        $touched = $done.Count -gt 0 -or @('repairing', 'updating', 'scanning') -contains $State.phase
        $before = if ($done.Count -gt 0) { $done -join ', ' } else { 'nothing' }
        @{
            outcome = if ($touched) { 'failed' } else { 'refused' }
            text = "$How in the middle of the work ($($State.phase)). Done before: $before."
        }
    }
}

function Get-KeepwellAntivirusUnfinished {
    <#
    .SYNOPSIS
    Work that runs, or whose end is in nobody's evidence yet.
    #>
    [CmdletBinding()]
    param()
    $fields = @('id', 'run_id', 'client', 'host', 'steps', 'phase', 'outcome', 'code', 'text', 'started_at')
    return @{ work = (Get-KeepwellUnfinishedWork -Chore 'antivirus' -Field $fields) }
}

function Get-KeepwellAntivirusLook {
    <#
    .SYNOPSIS
    What the work would meet: Defender, other engines, a service that is down, what Defender's record has of detections.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Asked)
    $defender = Get-KeepwellDefenderState
    $others = @(Get-KeepwellDefenderRival)
    $detections = $null
    if ($null -ne $defender) {
        $detections = Get-KeepwellDefenderDetection
    }
    return @{
        system = 'windows'
        engines = @{ clamav = $null; mdatp = $false; defender = $defender }
        others = $others
        stopped = Get-KeepwellStoppedDefender -Defender $defender -Others $others
        detections = $detections
        # Defender keeps what it moved, and what became of what it found: nothing of that is Keepwell's.
        quarantined = @()
        open = @()
        ledger = ''
        lock = Get-KeepwellBusy
        targets = $null
    }
}

Export-ModuleMember -Function @(
    'Get-KeepwellAntivirusAgent',
    'Get-KeepwellAntivirusLook',
    'Get-KeepwellAntivirusStatus',
    'Get-KeepwellAntivirusUnfinished',
    'Start-KeepwellAntivirusWork'
)
