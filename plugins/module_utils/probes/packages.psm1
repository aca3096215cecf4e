# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# What updates are offered, what is withheld and by whom, what is installed but not running?
#
# Reads what Windows already knows: nothing is refreshed, downloaded, accepted or installed.
#
# Raw facts; plugins/plugin_utils/windows_hosts/packages.py makes the document of packages.py from them.
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.runner
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.system
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.updates

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
    # Apart, for it alone can take long: the other facts must not be lost with it, and take some seconds themselves.
    $search = Invoke-KeepwellApart -Machine $Machine -Source 'search' -Function 'Search-KeepwellUpdate' -SpareS 8
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
