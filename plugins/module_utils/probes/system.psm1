# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# What is this host: edition, build, boot, hardware, domain, and whose extended support does it have?
#
# Raw facts; plugins/plugin_utils/windows_hosts/system.py makes the document of system.py from them.
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine

function Get-KeepwellSystemFacts {
    <#
    .SYNOPSIS
    Return @{ release; os; computer; timezone; boot; licences }; what could not be read is $null.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Parameters
    )
    $release = Get-KeepwellRelease -Machine $Machine
    return @{
        release = $release
        os = Get-KeepwellOperatingSystem -Machine $Machine
        computer = Get-KeepwellComputer -Machine $Machine
        timezone = [System.TimeZoneInfo]::Local.Id
        boot = Get-KeepwellBoot -Machine $Machine
        licences = Get-KeepwellLicence -Machine $Machine -Build ([string](Get-KeepwellValue -From $release -Name 'build'))
    }
}

function Get-KeepwellRelease {
    <#
    .SYNOPSIS
    Return what the registry says of this Windows: edition, build and revision. ProductName says "Windows 10" on 11.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $values = Get-KeepwellRegistryValue -Machine $Machine -Key 'SOFTWARE\Microsoft\Windows NT\CurrentVersion' -Source 'release'
    if ($null -eq $values) {
        return $null
    }
    return @{
        product_name = [string]$values['ProductName']
        edition_id = [string]$values['EditionID']
        # DisplayVersion came with 20H2; before it, ReleaseId had that meaning.
        display_version = if ($values['DisplayVersion']) { [string]$values['DisplayVersion'] } else { [string]$values['ReleaseId'] }
        build = [string]$values['CurrentBuildNumber']
        ubr = if ($null -eq $values['UBR']) { $null } else { [int]$values['UBR'] }
        install_type = [string]$values['InstallationType']
    }
}

function Get-KeepwellOperatingSystem {
    <#
    .SYNOPSIS
    Return the facts of Win32_OperatingSystem. type: 1 workstation, 2 domain controller, 3 server.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $system = @(Get-KeepwellInstance -Machine $Machine -Class 'Win32_OperatingSystem')[0]
    if ($null -eq $system) {
        return $null
    }
    return @{
        caption = [string]$system.Caption
        version = [string]$system.Version
        type = [int]$system.ProductType
        sku = [int]$system.OperatingSystemSKU
        booted_at = ConvertTo-KeepwellEpoch -Moment $system.LastBootUpTime
        uptime_s = [System.Math]::Round(($system.LocalDateTime - $system.LastBootUpTime).TotalSeconds, 3)
        installed_at = ConvertTo-KeepwellEpoch -Moment $system.InstallDate
        memory_kib = [long]$system.TotalVisibleMemorySize
    }
}

function Get-KeepwellComputer {
    <#
    .SYNOPSIS
    Return the facts of Win32_ComputerSystem and the machine's architecture. domain_role: 0 and 1 workstation, 2 and 3
    server, 4 and 5 domain controller; odd ones up to 3 are members of a domain.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $computer = @(Get-KeepwellInstance -Machine $Machine -Class 'Win32_ComputerSystem')[0]
    if ($null -eq $computer) {
        return $null
    }
    return @{
        manufacturer = [string]$computer.Manufacturer
        model = [string]$computer.Model
        hypervisor = [bool]$computer.HypervisorPresent
        cpus = [int]$computer.NumberOfLogicalProcessors
        memory_bytes = [long]$computer.TotalPhysicalMemory
        name = [string]$computer.DNSHostName
        domain = [string]$computer.Domain
        joined = [bool]$computer.PartOfDomain
        domain_role = [int]$computer.DomainRole
        architecture = [System.Environment]::GetEnvironmentVariable('PROCESSOR_ARCHITECTURE', 'Machine')
    }
}

function Get-KeepwellBoot {
    <#
    .SYNOPSIS
    Return @{ starts; ends }: the last starts of Windows (Kernel-General 12) and what the log says of their ends.
    .DESCRIPTION
    Ends: Kernel-General 13 and EventLog 6006 are written by a shutdown in good order; Kernel-Power 41 and EventLog 6008
    by the start after one that was not; User32 1074 names who asked for it.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $starts = @(Get-KeepwellBootStart -Machine $Machine)
    $ends = @()
    $ends += @(Get-KeepwellEvent -Machine $Machine -Log 'System' -Provider 'Microsoft-Windows-Kernel-General' -Id 13 -Cap 3 -Source 'boots')
    $ends += @(Get-KeepwellEvent -Machine $Machine -Log 'System' -Provider 'Microsoft-Windows-Kernel-Power' -Id 41 -Cap 3 -Source 'boots')
    $ends += @(Get-KeepwellEvent -Machine $Machine -Log 'System' -Provider 'EventLog' -Id 6006, 6008 -Cap 6 -Source 'boots')
    $ends += @(Get-KeepwellEvent -Machine $Machine -Log 'System' -Provider 'User32' -Id 1074 -Cap 3 -Source 'boots')
    if ($Machine.sources['boots'].status -ne 'ok') {
        return $null
    }
    return @{
        starts = $starts
        ends = @($ends | ForEach-Object -Process { @{ id = $_.id; at = $_.at; record = $_.record } })
    }
}

function Get-KeepwellBootStart {
    <#
    .SYNOPSIS
    Return the last starts of Windows, newest first: @{ at; record; started }, started as the kernel wrote it down.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $found = @(Get-KeepwellEvent -Machine $Machine -Log 'System' -Provider 'Microsoft-Windows-Kernel-General' -Id 12 -Cap 3 -Source 'boots')
    foreach ($start in $found) {
        @{ at = $start.at; record = $start.record; started = [string]$start.data['StartTime'] }
    }
}

function Get-KeepwellLicence {
    <#
    .SYNOPSIS
    Return the licences of Windows with a key: @{ id; family; status }, status 1 is licensed. $null where not asked.
    .DESCRIPTION
    Asked only where Extended Security Updates are sold (up to Windows 10 22H2, and Server 2016): it takes seconds.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [AllowEmptyString()] [string] $Build
    )
    $number = 0
    if (-not [int]::TryParse($Build, [ref]$number) -or $number -gt 19045) {
        return $null
    }
    # The application id is that of Windows itself.
    $filter = "ApplicationID='55c92734-d682-4d71-983e-d6ec3f16059f' AND PartialProductKey IS NOT NULL"
    $found = @(Get-KeepwellInstance -Machine $Machine -Class 'SoftwareLicensingProduct' -Filter $filter -Property 'ID', 'LicenseFamily', 'LicenseStatus' -Source 'licences')
    if ($Machine.sources['licences'].status -ne 'ok') {
        return $null
    }
    return , @($found | ForEach-Object -Process {
        @{ id = [string]$_.ID; family = [string]$_.LicenseFamily; status = [int]$_.LicenseStatus }
    })
}

Export-ModuleMember -Function '*'
