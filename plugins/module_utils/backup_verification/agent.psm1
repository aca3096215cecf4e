# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The one entry to everything that backup verification asks of a Windows host: the operations of _agent.py.
#
# Runs on managed hosts: Windows PowerShell 5.1.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.answer
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.folder
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.jobs
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.work
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification.server_backup
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification.veeam
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification.restic
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification.sandbox
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification.canary
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification.verification

function Get-KeepwellBackupVerificationAgent {
    <#
    .SYNOPSIS
    The agent of backup verification; see answer.psm1.
    #>
    [CmdletBinding()]
    param()
    return @{
        title = 'Backup verification'
        operations = @{
            look = { param($Asked) Get-KeepwellBackupLook -Asked $Asked }
            plan = { param($Asked) Get-KeepwellBackupPlan -Asked $Asked }
            start = { param($Asked) Start-KeepwellBackupTest -Asked $Asked }
            status = { param($Asked) Get-KeepwellBackupStatus -Id ([string]$Asked['id']) }
            unfinished = { param($Asked) Get-KeepwellBackupUnfinished }
            recorded = { param($Asked) Set-KeepwellWorkRecorded -Chore 'backup_verification' -Id ([string]$Asked['id']) }
            clean = { param($Asked) Remove-KeepwellBackupAccount -KeepDays ([double]$Asked['keep_days']) -Now $Asked['now'] }
            canary = { param($Asked) Update-KeepwellBackupCanary -Asked $Asked }
            leftovers = { param($Asked) Remove-KeepwellBackupLeftover }
        }
        needed = @{
            look = @('datasets')
            plan = @('dataset', 'kind')
            status = @('id')
            recorded = @('id')
            clean = @('keep_days')
            canary = @('canaries')
        }
        reading = @('look', 'plan', 'status', 'unfinished')
    }
}

function Start-KeepwellBackupTest {
    <#
    .SYNOPSIS
    Start the test of a request, or attach to it when it was started already. Secrets are sealed before they are kept.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Asked)
    Assert-KeepwellField -Request $Asked -Name 'id', 'run_id', 'client', 'host', 'dataset', 'kind'
    if ($Asked['secrets'] -and $Asked['secrets'].Count -gt 0) {
        $Asked['sealed'] = Protect-KeepwellSecret -Secrets $Asked['secrets']
    }
    $null = $Asked.Remove('secrets')
    $own = @{
        dataset = [string]$Asked['dataset'].id
        kind = [string]$Asked['kind']
        sandbox = ''
        facts = New-KeepwellVerificationFact -Request $Asked
    }
    return Start-KeepwellWork -Chore 'backup_verification' -Request $Asked -Own $own -Work 'Invoke-KeepwellVerification'
}

function Get-KeepwellBackupStatus {
    <#
    .SYNOPSIS
    The state of a test; what one left whose program is gone is removed now.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $Id)
    return Get-KeepwellWorkStatus -Chore 'backup_verification' -Id $Id -Interrupted {
        param($State, $How)
        $facts = $State.facts
        $text = "$How in the middle of the test (phase $($State.phase)). Nothing is proven."
        if ($State.sandbox) {
            $facts.sandbox = $State.sandbox
            $facts.left = Remove-KeepwellSandbox -Path ([string]$State.sandbox) -Id ([string]$State.id)
            $text += if ($facts.left) { ' Some of what was restored could not be removed.' } else { ' What was restored is removed.' }
        }
        @{ outcome = 'failed'; text = $text; facts = $facts }
    }
}

function Get-KeepwellBackupUnfinished {
    <#
    .SYNOPSIS
    Tests that go on, or whose end is in nobody's evidence yet.
    #>
    [CmdletBinding()]
    param()
    $fields = @('id', 'run_id', 'client', 'host', 'dataset', 'kind', 'phase', 'outcome', 'code', 'text', 'started_at')
    return @{ work = (Get-KeepwellUnfinishedWork -Chore 'backup_verification' -Field $fields) }
}

function Get-KeepwellBackupRemain {
    <#
    .SYNOPSIS
    Id -> sandbox of tests that have ended or are no more, and whose sandbox is still there.
    #>
    [CmdletBinding()]
    param()
    $found = @{}
    foreach ($id in @(Get-KeepwellWorkId -Chore 'backup_verification')) {
        $state = Read-KeepwellDocument -Folder (Get-KeepwellWorkFolder -Chore 'backup_verification' -Id $id) -Name 'state.json'
        if ($null -eq $state -or -not $state.sandbox -or -not (Test-Path -LiteralPath ([string]$state.sandbox))) {
            continue
        }
        if ($state.phase -eq 'ended' -or -not (Test-KeepwellWorkAlive -Chore 'backup_verification' -State $state)) {
            $found[$id] = [string]$state.sandbox
        }
    }
    return $found
}

function Remove-KeepwellBackupLeftover {
    <#
    .SYNOPSIS
    Remove what earlier crashes left, as the states of their tests name it; nothing else. @{ removed; left; foreign }.
    #>
    [CmdletBinding()]
    param()
    $lock = Lock-KeepwellHost -Who 'backup verification, removing leftovers'
    if ($lock -is [string]) {
        Stop-KeepwellRequest -Code 'host_locked' -Text "Keepwell is at work on this host already: $lock."
    }
    $answer = @{ removed = @(); left = @(); foreign = @() }
    try {
        $remains = Get-KeepwellBackupRemain
        foreach ($id in @($remains.Keys | Sort-Object)) {
            $left = Remove-KeepwellSandbox -Path $remains[$id] -Id $id
            if ($left) {
                $answer.left += @{ id = $id; path = $remains[$id]; why = $left }
            }
            else {
                $answer.removed += @{ id = $id; path = $remains[$id] }
            }
        }
    }
    finally {
        $lock.Dispose()
    }
    return $answer
}

function Remove-KeepwellBackupAccount {
    <#
    .SYNOPSIS
    Remove the accounts of tests that ended longer ago than that; not of those whose sandbox is still there.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [double] $KeepDays,
        [Parameter()] [AllowNull()] $Now
    )
    $spared = @((Get-KeepwellBackupRemain).Keys)
    return Remove-KeepwellOldWork -Chore 'backup_verification' -KeepDays $KeepDays -Now $Now -Spared $spared
}

function Get-KeepwellBackupLook {
    <#
    .SYNOPSIS
    @{ datasets = name -> { status, detail, tool, facts } }; one dataset never costs another.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Asked)
    $found = @{}
    $datasets = @($Asked['datasets'])
    $limit = if ($Asked['budget_s']) { [double]$Asked['budget_s'] / [System.Math]::Max(1, $datasets.Count) } else { 60.0 }
    foreach ($dataset in $datasets) {
        $secrets = if ($Asked['secrets']) { $Asked['secrets'][$dataset.id] } else { $null }
        $found[[string]$dataset.id] = Get-KeepwellBackupFact -Dataset $dataset -Secrets $secrets -TimeoutS $limit
    }
    return @{ datasets = $found }
}

function Get-KeepwellBackupFact {
    <#
    .SYNOPSIS
    {status, detail, tool, facts} of one dataset, by its tool.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] $Dataset,
        [Parameter()] [AllowNull()] $Secrets,
        [Parameter(Mandatory = $true)] [double] $TimeoutS
    )
    try {
        switch ([string]$Dataset.tool) {
            'windows_server_backup' { return Get-KeepwellServerBackup }
            'veeam_agent' { return Get-KeepwellVeeam }
            'restic' { return Get-KeepwellRestic -Dataset $Dataset -Secrets $Secrets -TimeoutS $TimeoutS }
            default { return @{ status = 'absent'; detail = "$($Dataset.tool) is not verified on Windows hosts."; tool = $null; facts = $null } }
        }
    }
    catch {
        $code = $_.Exception.Data['keepwell_code']
        $text = if ($code) { $_.Exception.Message } else { "The driver failed: $($_.Exception.GetType().Name): $($_.Exception.Message)" }
        return @{ status = 'error'; detail = $text; tool = $null; facts = $null }
    }
}

function Get-KeepwellBackupPlan {
    <#
    .SYNOPSIS
    What the control node needs to say what a test would do: look, files that could be a sample, sandbox. Writes nothing.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Asked)
    $dataset = $Asked['dataset']
    $limit = if ($Asked['budget_s']) { [double]$Asked['budget_s'] / 3 } else { 40.0 }
    $answer = @{
        look = Get-KeepwellBackupFact -Dataset $dataset -Secrets $Asked['secrets'] -TimeoutS $limit
        files = @()
        files_cut = $false
        sandbox = Get-KeepwellSandboxRoom -Asked ([string]$Asked['sandbox'].base)
    }
    if (@('canary', 'sample') -contains [string]$Asked['kind']) {
        $found = Find-KeepwellSampleFile -Dataset $dataset -Kind ([string]$Asked['kind']) -LimitS $limit
        $answer.files = $found.files
        $answer.files_cut = $found.cut
    }
    return $answer
}

function Update-KeepwellBackupCanary {
    <#
    .SYNOPSIS
    Renew canaries: @{ canaries = id -> what Update-KeepwellCanary returns, or error and text }; one never costs another.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Asked)
    $found = @{}
    $now = if ($Asked['now']) { [double]$Asked['now'] } else { [double](Get-KeepwellNow) }
    foreach ($wanted in @($Asked['canaries'])) {
        $name = [string]$wanted.id
        try {
            $found[$name] = Update-KeepwellCanary -Id $name -Path ([string]$wanted.path) -EveryHours ([double]$wanted.every_hours) -Now $now
        }
        catch {
            $code = $_.Exception.Data['keepwell_code']
            $text = if ($code) { $_.Exception.Message } else { "The canary $($wanted.path) cannot be written: $($_.Exception.Message)" }
            $found[$name] = @{ error = $(if ($code) { [string]$code } else { 'host_error' }); text = $text }
        }
    }
    return @{ canaries = $found }
}

Export-ModuleMember -Function @(
    'Get-KeepwellBackupFact',
    'Get-KeepwellBackupLook',
    'Get-KeepwellBackupPlan',
    'Get-KeepwellBackupRemain',
    'Get-KeepwellBackupStatus',
    'Get-KeepwellBackupUnfinished',
    'Get-KeepwellBackupVerificationAgent',
    'Remove-KeepwellBackupAccount',
    'Remove-KeepwellBackupLeftover',
    'Start-KeepwellBackupTest',
    'Update-KeepwellBackupCanary'
)
