# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The one entry to everything that backup verification asks of a Windows host: the operations of _agent.py.
#
# Runs on managed hosts: Windows PowerShell 5.1.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.answer
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
            canary = { param($Asked) Update-KeepwellBackupCanary -Asked $Asked }
        }
        needed = @{ look = @('datasets'); plan = @('dataset', 'kind'); canary = @('canaries') }
        reading = @('look', 'plan')
    }
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
    $now = if ($Asked['now']) { [double]$Asked['now'] } else { [double](ConvertTo-KeepwellEpoch -Moment ([System.DateTime]::UtcNow)) }
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
    'Get-KeepwellBackupVerificationAgent',
    'Update-KeepwellBackupCanary'
)
