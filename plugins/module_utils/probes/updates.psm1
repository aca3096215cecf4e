# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The Windows Update Agent: what it offers, what it did, when anybody searched, and what policies tell it.
#
# The search is one over what the last search on line left behind, and it is a synchronous one: over WinRM an
# administrator may do that, and may not download, install or accept a licence (learn.microsoft.com, "Using WUA From a
# Remote Computer").
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine

function Search-KeepwellUpdate {
    <#
    .SYNOPSIS
    Return @{ updates; result; warnings; seconds }: what is not installed, as the last search on line left it.
    #>
    [CmdletBinding()]
    param()
    $clock = [System.Diagnostics.Stopwatch]::StartNew()
    $session = New-Object -ComObject 'Microsoft.Update.Session'
    $session.ClientApplicationID = 'Keepwell'
    $searcher = $session.CreateUpdateSearcher()
    $searcher.Online = $false
    $found = $searcher.Search('IsInstalled=0')
    $updates = @(foreach ($update in $found.Updates) { ConvertFrom-KeepwellUpdate -Update $update })
    $warnings = @(foreach ($warning in $found.Warnings) { '{0:X8}' -f [int]$warning.HResult })
    return @{
        updates = $updates
        result = [int]$found.ResultCode
        warnings = $warnings
        seconds = [System.Math]::Round($clock.Elapsed.TotalSeconds, 3)
    }
}

function ConvertFrom-KeepwellUpdate {
    <#
    .SYNOPSIS
    Return the facts of one IUpdate; numbers are those of wuapi.h.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [object] $Update
    )
    $behaviour = $Update.InstallationBehavior
    return @{
        update_id = ([string]$Update.Identity.UpdateID).ToLowerInvariant()
        revision = [int]$Update.Identity.RevisionNumber
        title = [string]$Update.Title
        type = [int]$Update.Type
        kbs = @(ConvertTo-KeepwellText -Values $Update.KBArticleIDs)
        categories = @(foreach ($category in $Update.Categories) { ([string]$category.CategoryID).ToLowerInvariant() })
        severity = [string]$Update.MsrcSeverity
        cves = @(ConvertTo-KeepwellText -Values $Update.CveIDs)
        bulletins = @(ConvertTo-KeepwellText -Values $Update.SecurityBulletinIDs)
        changed_at = ConvertTo-KeepwellEpoch -Moment $Update.LastDeploymentChangeTime -Utc
        deadline = ConvertTo-KeepwellEpoch -Moment $Update.Deadline -Utc
        size = [long]$Update.MaxDownloadSize
        hidden = [bool]$Update.IsHidden
        downloaded = [bool]$Update.IsDownloaded
        mandatory = [bool]$Update.IsMandatory
        browse_only = [bool]$Update.BrowseOnly
        uninstallable = [bool]$Update.IsUninstallable
        eula_accepted = [bool]$Update.EulaAccepted
        reboot_required = [bool]$Update.RebootRequired
        deployment_action = [int]$Update.DeploymentAction
        reboot_behavior = if ($null -eq $behaviour) { $null } else { [int]$behaviour.RebootBehavior }
        impact = if ($null -eq $behaviour) { $null } else { [int]$behaviour.Impact }
        user_input = if ($null -eq $behaviour) { $null } else { [bool]$behaviour.CanRequestUserInput }
    }
}

function Get-KeepwellUpdateHistory {
    <#
    .SYNOPSIS
    Return the last 60 entries of Windows Update's history, newest first. operation: 1 install, 2 uninstall; result:
    0 not started, 1 in progress, 2 succeeded, 3 succeeded with errors, 4 failed, 5 aborted.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $entries = @(Read-KeepwellList -Machine $Machine -Source 'history' -Read {
        $searcher = (New-Object -ComObject 'Microsoft.Update.Session').CreateUpdateSearcher()
        $count = [System.Math]::Min(60, $searcher.GetTotalHistoryCount())
        if ($count -gt 0) {
            # Its properties are read here: each is a call of its own, which may be refused.
            foreach ($entry in $searcher.QueryHistory(0, $count)) {
                @{
                    at = ConvertTo-KeepwellEpoch -Moment $entry.Date -Utc
                    operation = [int]$entry.Operation
                    result = [int]$entry.ResultCode
                    hresult = '{0:X8}' -f [int]$entry.HResult
                    title = [string]$entry.Title
                    update_id = ([string]$entry.UpdateIdentity.UpdateID).ToLowerInvariant()
                    revision = [int]$entry.UpdateIdentity.RevisionNumber
                    client = [string]$entry.ClientApplicationID
                }
            }
        }
    })
    if ($Machine.sources['history'].status -ne 'ok') {
        return $null
    }
    return , $entries
}

function Get-KeepwellSearchTime {
    <#
    .SYNOPSIS
    Return @{ automatic_at; installed_at; found_at; failed_at; failed }: when updates were searched for.
    .DESCRIPTION
    Automatic Updates notes its own searches alone (IAutomaticUpdatesResults); the client's log has one event for each
    search of anybody: 26 it succeeded, 25 it failed.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $automatic = Read-KeepwellSource -Machine $Machine -Source 'automatic updates' -Read {
        $results = (New-Object -ComObject 'Microsoft.Update.AutoUpdate').Results
        @{
            searched_at = ConvertTo-KeepwellEpoch -Moment $results.LastSearchSuccessDate -Utc
            installed_at = ConvertTo-KeepwellEpoch -Moment $results.LastInstallationSuccessDate -Utc
        }
    }
    $log = 'Microsoft-Windows-WindowsUpdateClient/Operational'
    $good = @(Get-KeepwellEvent -Machine $Machine -Log $log -Id 26 -Cap 1 -Source 'update log')[0]
    $bad = @(Get-KeepwellEvent -Machine $Machine -Log $log -Id 25 -Cap 1 -Source 'update log')[0]
    return @{
        automatic_at = Get-KeepwellValue -From $automatic -Name 'searched_at'
        installed_at = Get-KeepwellValue -From $automatic -Name 'installed_at'
        found_at = Get-KeepwellValue -From $good -Name 'at'
        failed_at = Get-KeepwellValue -From $bad -Name 'at'
        failed = Get-KeepwellValue -From $bad -Name 'data'
    }
}

function Get-KeepwellUpdatePolicy {
    <#
    .SYNOPSIS
    Return what decides over offers: policies (group policy, device management) and what a user chose. All values.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $wanted = @{
        windows_update = @('SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate', @(
                'WUServer', 'DoNotConnectToWindowsUpdateInternetLocations', 'DisableWindowsUpdateAccess',
                'DeferQualityUpdates', 'DeferQualityUpdatesPeriodInDays', 'DeferFeatureUpdates',
                'DeferFeatureUpdatesPeriodInDays', 'PauseQualityUpdatesStartTime', 'PauseFeatureUpdatesStartTime',
                'TargetReleaseVersion', 'TargetReleaseVersionInfo', 'ProductVersion', 'SetPolicyDrivenUpdateSourceForQualityUpdates'))
        automatic = @('SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate\AU', @(
                'UseWUServer', 'NoAutoUpdate', 'AUOptions', 'ScheduledInstallDay', 'ScheduledInstallTime',
                'NoAutoRebootWithLoggedOnUsers', 'AlwaysAutoRebootAtScheduledTime', 'AllowMUUpdateService'))
        settings = @('SOFTWARE\Microsoft\WindowsUpdate\UX\Settings', @(
                'PauseUpdatesExpiryTime', 'PauseQualityUpdatesEndTime', 'PauseFeatureUpdatesEndTime',
                'ActiveHoursStart', 'ActiveHoursEnd', 'IsExpedited', 'AllowMUUpdateService'))
        device = @('SOFTWARE\Microsoft\PolicyManager\current\device\Update', @(
                'AllowAutoUpdate', 'DeferQualityUpdatesPeriodInDays', 'DeferFeatureUpdatesPeriodInDays',
                'PauseQualityUpdates', 'PauseFeatureUpdates', 'TargetReleaseVersion', 'UpdateServiceUrl'))
        legacy = @('SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update', @('AUOptions'))
    }
    $policy = @{}
    foreach ($name in $wanted.Keys) {
        $values = Get-KeepwellRegistryValue -Machine $Machine -Key $wanted[$name][0] -Source 'update policy'
        $chosen = @{}
        if ($null -ne $values) {
            foreach ($value in $wanted[$name][1]) {
                if ($null -ne $values[$value]) { $chosen[$value] = $values[$value] }
            }
        }
        $policy[$name] = $chosen
    }
    $listed = @(Read-KeepwellList -Machine $Machine -Source 'update sources' -Read {
        foreach ($service in (New-Object -ComObject 'Microsoft.Update.ServiceManager').Services) {
            @{
                id = ([string]$service.ServiceID).ToLowerInvariant()
                managed = [bool]$service.IsManaged
                default = [bool]$service.IsDefaultAUService
                registered = [bool]$service.IsRegisteredWithAU
            }
        }
    })
    $policy.sources = $listed
    return $policy
}

Export-ModuleMember -Function '*'
