# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# What updates are offered, what is withheld and by whom, what is installed but not running?
#
# Reads what Windows Update already knows: nothing is refreshed, downloaded, accepted or installed. The search is one
# over what the last search on line left behind, and it is a synchronous one: over WinRM an administrator may do that,
# and may not download, install or accept a licence (learn.microsoft.com, "Using WUA From a Remote Computer").
#
# Raw facts; plugins/plugin_utils/windows_hosts/packages.py makes the document of packages.py from them.
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.runner
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.system

function Get-KeepwellPackagesFacts {
    <#
    .SYNOPSIS
    Return the raw facts of packages; what could not be read is $null.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Parameters
    )
    # Apart, for it alone can take long: the other facts must not be lost with it.
    $search = Invoke-KeepwellApart -Machine $Machine -Source 'search' -Function 'Search-KeepwellUpdate'
    return @{
        search = $search
        build = Get-KeepwellRelease -Machine $Machine
        policy = Get-KeepwellUpdatePolicy -Machine $Machine
        services = Get-KeepwellUpdateService -Machine $Machine
        rollups = @(Get-KeepwellRollup -Machine $Machine)
        reboot = Get-KeepwellRebootSign -Machine $Machine
        office = Get-KeepwellOffice -Machine $Machine
        secure_boot = Get-KeepwellSecureBoot -Machine $Machine
        busy = Get-KeepwellInstallerProcess -Machine $Machine
        searched = Get-KeepwellSearchTime -Machine $Machine
        history = Get-KeepwellUpdateHistory -Machine $Machine
    }
}

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
    $entries = @(Read-KeepwellSource -Machine $Machine -Source 'history' -Read {
        $searcher = (New-Object -ComObject 'Microsoft.Update.Session').CreateUpdateSearcher()
        $count = [System.Math]::Min(60, $searcher.GetTotalHistoryCount())
        if ($count -gt 0) {
            foreach ($entry in $searcher.QueryHistory(0, $count)) { $entry }
        }
    })
    if ($Machine.sources['history'].status -ne 'ok') {
        return $null
    }
    return , @($entries | ForEach-Object -Process {
            @{
                at = ConvertTo-KeepwellEpoch -Moment $_.Date -Utc
                operation = [int]$_.Operation
                result = [int]$_.ResultCode
                hresult = '{0:X8}' -f [int]$_.HResult
                title = [string]$_.Title
                update_id = ([string]$_.UpdateIdentity.UpdateID).ToLowerInvariant()
                revision = [int]$_.UpdateIdentity.RevisionNumber
                client = [string]$_.ClientApplicationID
            }
    })
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
    $results = Read-KeepwellSource -Machine $Machine -Source 'automatic updates' -Read {
        (New-Object -ComObject 'Microsoft.Update.AutoUpdate').Results
    }
    $log = 'Microsoft-Windows-WindowsUpdateClient/Operational'
    $good = @(Get-KeepwellEvent -Machine $Machine -Log $log -Id 26 -Cap 1 -Source 'update log')[0]
    $bad = @(Get-KeepwellEvent -Machine $Machine -Log $log -Id 25 -Cap 1 -Source 'update log')[0]
    return @{
        automatic_at = if ($null -eq $results) { $null } else { ConvertTo-KeepwellEpoch -Moment $results.LastSearchSuccessDate -Utc }
        installed_at = if ($null -eq $results) { $null } else { ConvertTo-KeepwellEpoch -Moment $results.LastInstallationSuccessDate -Utc }
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
    $listed = @(Read-KeepwellSource -Machine $Machine -Source 'update sources' -Read {
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

function Get-KeepwellUpdateService {
    <#
    .SYNOPSIS
    Return the services that updating needs, by name: @{ start }. start: 2 automatic, 3 manual, 4 disabled.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $found = @{}
    foreach ($name in @('wuauserv', 'UsoSvc', 'BITS', 'TrustedInstaller')) {
        $values = Get-KeepwellRegistryValue -Machine $Machine -Key "SYSTEM\CurrentControlSet\Services\$name" -Source 'update services'
        if ($null -ne $values) {
            $found[$name] = @{ start = [int]$values['Start'] }
        }
    }
    return $found
}

function Get-KeepwellRollup {
    <#
    .SYNOPSIS
    Return the monthly updates in the component store: @{ name; state; installed_at }.
    .DESCRIPTION
    The name has build and revision in it: Package_for_RollupFix~31bf3856ad364e35~amd64~~20348.2700.1.10. state is that
    of CBS: 64 staged, 80 superseded, 96 to be installed with the next start, 112 installed.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $store = 'SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\Packages'
    foreach ($name in @(Get-KeepwellRegistryKey -Machine $Machine -Key $store -Source 'component store')) {
        if ($name -notlike 'Package_for_RollupFix~*') {
            continue
        }
        $values = Get-KeepwellRegistryValue -Machine $Machine -Key "$store\$name" -Source 'component store'
        if ($null -eq $values) {
            continue
        }
        $moment = $null
        if ($null -ne $values['InstallTimeHigh'] -and $null -ne $values['InstallTimeLow']) {
            # A FILETIME in two halves; the registry gives them as signed numbers.
            $high = [long]([System.BitConverter]::ToUInt32([System.BitConverter]::GetBytes([int]$values['InstallTimeHigh']), 0))
            $low = [long]([System.BitConverter]::ToUInt32([System.BitConverter]::GetBytes([int]$values['InstallTimeLow']), 0))
            $ticks = $high * 4294967296 + $low
            if ($ticks -gt 0) {
                $moment = ConvertTo-KeepwellEpoch -Moment ([System.DateTime]::FromFileTimeUtc($ticks))
            }
        }
        @{ name = $name; state = [int]$values['CurrentState']; installed_at = $moment }
    }
}

function Get-KeepwellRebootSign {
    <#
    .SYNOPSIS
    Return what Windows and its installers leave behind when they wait for a restart, by name; $null: not asked or unread.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $cbs = 'SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing'
    $client = 'SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate'
    $manager = Get-KeepwellRegistryValue -Machine $Machine -Key 'SYSTEM\CurrentControlSet\Control\Session Manager' -Source 'reboot'
    $names = 'SYSTEM\CurrentControlSet\Control\ComputerName'
    $active = Get-KeepwellRegistryValue -Machine $Machine -Key "$names\ActiveComputerName" -Source 'reboot'
    $next = Get-KeepwellRegistryValue -Machine $Machine -Key "$names\ComputerName" -Source 'reboot'
    $logon = Get-KeepwellRegistryValue -Machine $Machine -Key 'SYSTEM\CurrentControlSet\Services\Netlogon' -Source 'reboot'
    $server = Get-KeepwellRegistryValue -Machine $Machine -Key 'SOFTWARE\Microsoft\ServerManager' -Source 'reboot'
    $once = Get-KeepwellRegistryValue -Machine $Machine -Key 'SOFTWARE\Microsoft\Windows\CurrentVersion\RunOnce' -Source 'reboot'
    $volatile = Get-KeepwellRegistryValue -Machine $Machine -Key 'SOFTWARE\Microsoft\Updates' -Source 'reboot'
    $renames = @(ConvertTo-KeepwellText -Values (Get-KeepwellValue -From $manager -Name 'PendingFileRenameOperations'))
    $renames += @(ConvertTo-KeepwellText -Values (Get-KeepwellValue -From $manager -Name 'PendingFileRenameOperations2'))
    # Its answer is refused to remote sessions on some releases, which is then noted; the keys say the same.
    $wua = Read-KeepwellSource -Machine $Machine -Source 'system information' -Read {
        [bool](New-Object -ComObject 'Microsoft.Update.SystemInfo').RebootRequired
    }
    $configuration = $null
    if ($null -ne (Get-KeepwellRegistryValue -Machine $Machine -Key 'SOFTWARE\Microsoft\CCM' -Source 'reboot')) {
        $answer = Read-KeepwellSource -Machine $Machine -Source 'configuration manager' -Read {
            Invoke-CimMethod -Namespace 'root/ccm/ClientSDK' -ClassName 'CCM_ClientUtilities' -MethodName 'DetermineIfRebootPending' -OperationTimeoutSec 10
        }
        if ($null -ne $answer) {
            $configuration = [bool]($answer.RebootPending -or $answer.IsHardRebootPending)
        }
    }
    return @{
        cbs_pending = Test-KeepwellRegistryKey -Machine $Machine -Key "$cbs\RebootPending"
        cbs_in_progress = Test-KeepwellRegistryKey -Machine $Machine -Key "$cbs\RebootInProgress"
        cbs_packages = Test-KeepwellRegistryKey -Machine $Machine -Key "$cbs\PackagesPending"
        windows_update = Test-KeepwellRegistryKey -Machine $Machine -Key "$client\Auto Update\RebootRequired"
        services_pending = @(Get-KeepwellRegistryKey -Machine $Machine -Key "$client\Services\Pending" -Source 'reboot' | ForEach-Object -Process { [string]$_ })
        wua = $wua
        configuration_manager = $configuration
        computer_name = @{ active = [string](Get-KeepwellValue -From $active -Name 'ComputerName'); next = [string](Get-KeepwellValue -From $next -Name 'ComputerName') }
        domain_join = ($null -ne $logon -and ($logon.ContainsKey('JoinDomain') -or $logon.ContainsKey('AvoidSpnSet')))
        server_manager = [int](Get-KeepwellValue -From $server -Name 'CurrentRebootAttempts')
        file_renames = if ($null -eq $manager) { $null } else { $renames.Count }
        run_once = ($null -ne $once -and $once.ContainsKey('DVDRebootSignal'))
        update_exe = [int](Get-KeepwellValue -From $volatile -Name 'UpdateExeVolatile')
    }
}

function Get-KeepwellOffice {
    <#
    .SYNOPSIS
    Return @{ version; channel; updates_enabled } of Click-to-Run Office, which Windows Update does not see; or $null.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $values = Get-KeepwellRegistryValue -Machine $Machine -Key 'SOFTWARE\Microsoft\Office\ClickToRun\Configuration' -Source 'office'
    if ($null -eq $values -or -not $values['VersionToReport']) {
        return $null
    }
    return @{
        version = [string]$values['VersionToReport']
        channel = if ($values['UpdateChannel']) { [string]$values['UpdateChannel'] } else { [string]$values['CDNBaseUrl'] }
        updates_enabled = [string]$values['UpdatesEnabled']
    }
}

function Get-KeepwellSecureBoot {
    <#
    .SYNOPSIS
    Return @{ enabled; status; error; available_updates }: where the change to the certificates of 2023 stands.
    .DESCRIPTION
    enabled is 1 or 0, $null where the firmware has no Secure Boot. status is a word that Windows does not translate.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $root = 'SYSTEM\CurrentControlSet\Control\SecureBoot'
    $state = Get-KeepwellRegistryValue -Machine $Machine -Key "$root\State" -Source 'secure boot'
    $boot = Get-KeepwellRegistryValue -Machine $Machine -Key $root -Source 'secure boot'
    $servicing = Get-KeepwellRegistryValue -Machine $Machine -Key "$root\Servicing" -Source 'secure boot'
    return @{
        enabled = Get-KeepwellValue -From $state -Name 'UEFISecureBootEnabled'
        status = Get-KeepwellValue -From $servicing -Name 'UEFICA2023Status'
        error = Get-KeepwellValue -From $servicing -Name 'UEFICA2023Error'
        available_updates = Get-KeepwellValue -From $boot -Name 'AvailableUpdates'
    }
}

function Get-KeepwellInstallerProcess {
    <#
    .SYNOPSIS
    Return the programs that install something right now: @{ name; pid; started_at }.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $filter = "Name='TiWorker.exe' OR Name='msiexec.exe' OR Name='wusa.exe' OR Name='setuphost.exe'"
    $found = @(Get-KeepwellInstance -Machine $Machine -Class 'Win32_Process' -Filter $filter -Property 'Name', 'ProcessId', 'CreationDate' -Source 'installers')
    if ($Machine.sources['installers'].status -ne 'ok') {
        return $null
    }
    return , @($found | ForEach-Object -Process {
        @{ name = [string]$_.Name; pid = [int]$_.ProcessId; started_at = ConvertTo-KeepwellEpoch -Moment $_.CreationDate }
    })
}

Export-ModuleMember -Function '*'
