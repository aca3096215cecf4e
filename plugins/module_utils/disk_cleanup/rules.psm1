# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The rules of Windows hosts that delete files: which folders they look into, and what there may go: as _rules.py and
# _file_rules.py elsewhere. plugin_utils/disk_cleanup/windows_rules.py has what the control node says of them.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone: work that outlives its connection takes them along.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.answer
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup.places

function Get-KeepwellRule {
    <#
    .SYNOPSIS
    Return the rules in the order in which they are carried out: @{ id; how }. What is off is only told.
    #>
    [CmdletBinding()]
    param()
    return @(
        @{ id = 'temporary_files'; how = 'files' }
        @{ id = 'rotated_logs'; how = 'files' }
        @{ id = 'web_server_logs'; how = 'files' }
        @{ id = 'crash_data'; how = 'files' }
        @{ id = 'update_cache'; how = 'update_cache' }
        @{ id = 'delivery_optimization'; how = 'delivery_optimization' }
        @{ id = 'recycle_bin'; how = 'recycle_bin' }
        @{ id = 'component_store'; how = 'component_store' }
        @{ id = 'previous_windows'; how = 'report' }
    )
}

function Get-KeepwellCleanupRequest {
    <#
    .SYNOPSIS
    Return the request with everything in it, checked; refuse what cannot be done, whoever asks.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Request)
    foreach ($name in 'rules', 'filesystems') {
        if ($null -eq $Request[$name]) {
            Stop-KeepwellRequest -Code 'bad_request' -Text "The request lacks $name."
        }
    }
    $terms = @{
        log_days = 90; log_retention_days = 90; package_keep_days = 14; crash_keep = 2; gap_percent = 20
        temp_days = 7; recycle_days = 30
    }
    if ($null -ne $Request['terms']) {
        foreach ($name in @($Request['terms'].Keys)) {
            $terms[$name] = $Request['terms'][$name]
        }
    }
    $known = @{}
    foreach ($rule in @(Get-KeepwellRule)) {
        $known[$rule.id] = $rule.how
    }
    foreach ($name in @($Request['rules'])) {
        if (-not $known.ContainsKey([string]$name)) {
            Stop-KeepwellRequest -Code 'unknown_rule' -Text "There is no cleanup rule '$name' for Windows."
        }
        if ($known[[string]$name] -eq 'report') {
            Stop-KeepwellRequest -Code 'rule_off' -Text "The rule $name is never carried out: a person decides."
        }
    }
    $logs = @($Request['rules'] | Where-Object -FilterScript { @('rotated_logs', 'web_server_logs') -contains $_ })
    $least = [System.Math]::Max([double]$terms.log_retention_days, 1)
    if ($logs.Count -gt 0 -and [double]$terms.log_days -lt $least) {
        Stop-KeepwellRequest -Code 'retention' -Text (
            "Logs of the last $least days have to be kept (disk_cleanup_log_retention_days), so none that are only " +
            "$($terms.log_days) days old may go (disk_cleanup_log_days)."
        )
    }
    $checked = $Request.Clone()
    $checked.terms = $terms
    return $checked
}

function Get-KeepwellRuleWalk {
    <#
    .SYNOPSIS
    Return what a rule walks through, as walk.psm1 wants it, without what the sweep adds.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Rule,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Terms,
        [Parameter(Mandatory = $true)] [double] $Now
    )
    $places = Get-KeepwellPlace
    $temporary = @{ pattern = ''; cutoff = $Now - 86400 * [double]$Terms.temp_days; recurse = $true; folders = $true; newest = 0 }
    $logs = @{ cutoff = $Now - 86400 * [double]$Terms.log_days; recurse = $false; folders = $false; newest = 0 }
    $crashes = @{ cutoff = $Now - 86400 * 7; recurse = $true; folders = $false; newest = [System.Math]::Max(1, [int]$Terms.crash_keep) }
    switch ($Rule) {
        'temporary_files' {
            Add-KeepwellBase -Base ($places.windows_temp + $places.user_temp) -Term $temporary
        }
        'rotated_logs' {
            Add-KeepwellBase -Base $places.servicing_logs -Term ($logs + @{ pattern = '^CbsPersist_\d{14}\.(cab|log)$' })
        }
        'web_server_logs' {
            $logs.recurse = $true
            Add-KeepwellBase -Base $places.web_server_logs -Term ($logs + @{ pattern = '^(u_)?ex\d{4,8}(_x)?\.log$' })
        }
        'crash_data' {
            Add-KeepwellBase -Base ($places.minidumps + $places.live_dumps) -Term ($crashes + @{ pattern = '\.dmp$' })
            Add-KeepwellBase -Base $places.error_reports -Term @{
                pattern = ''; cutoff = $Now - 86400 * 7; recurse = $true; folders = $true; newest = 0
            }
        }
        'update_cache' {
            Add-KeepwellBase -Base $places.update_cache -Term @{
                pattern = ''; cutoff = $Now - 86400 * [double]$Terms.package_keep_days; recurse = $true; folders = $true; newest = 0
            }
        }
    }
}

function Add-KeepwellBase {
    <#
    .SYNOPSIS
    Return a walk for each of these folders.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [AllowEmptyCollection()] [string[]] $Base,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Term
    )
    foreach ($folder in $Base) {
        $walk = $Term.Clone()
        $walk.base = $folder
        $walk
    }
}

Export-ModuleMember -Function '*-Keepwell*'
