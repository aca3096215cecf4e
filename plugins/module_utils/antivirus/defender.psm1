# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# What Defender is on this host, which other engines there are, and what Defender knows of detections. Reads alone.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone: work that outlives its connection takes them along.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.antivirus

function Get-KeepwellDefenderPolicy {
    <#
    .SYNOPSIS
    A value of a key below HKEY_LOCAL_MACHINE, or $null where there is none.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Key,
        [Parameter(Mandatory = $true)] [string] $Name
    )
    $machine = New-KeepwellMachine -LimitS 60
    $values = Get-KeepwellRegistryValue -Machine $machine -Key $Key
    if ($null -eq $values) {
        return $null
    }
    return $values[$Name]
}

function Get-KeepwellDefenderCode {
    <#
    .SYNOPSIS
    The code of an error, as eight hexadecimal digits: its text is in the language of the host.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Management.Automation.ErrorRecord] $Record)
    # Cmdlets made from CIM classes name the code of the provider in the error's id: "HRESULT 0x800106ba,Get-MpThreat".
    if ($Record.FullyQualifiedErrorId -match '0x[0-9A-Fa-f]{8}') {
        return $Matches[0].ToLowerInvariant()
    }
    return '0x{0:x8}' -f ([int64]$Record.Exception.HResult -band 0xFFFFFFFFL)
}

function Get-KeepwellDefenderState {
    <#
    .SYNOPSIS
    Facts of Defender as a hashtable; $null where it is not installed.
    .DESCRIPTION
    mode: normal, passive, edr_block, not_running or unknown (then error says why); service: state and start; real_time,
    tamper_protected; definitions: version and updated_at; engine_version, platform_version; sources of definitions in
    their order and whether a policy says so; wsus: the server, where Defender is told to ask it; last_quick, last_full.
    #>
    [CmdletBinding()]
    param()
    $service = Get-CimInstance -ClassName Win32_Service -Filter "Name='WinDefend'" -ErrorAction SilentlyContinue
    if ($null -eq $service) {
        return $null
    }
    $facts = @{
        mode = 'unknown'
        error = ''
        service = @{ state = ([string]$service.State).ToLowerInvariant(); start = ([string]$service.StartMode).ToLowerInvariant() }
        real_time = $null
        tamper_protected = $null
        definitions = @{ version = $null; updated_at = $null }
        engine_version = $null
        platform_version = $null
        last_quick = $null
        last_full = $null
        sources = @()
        sources_by_policy = $false
        wsus = $null
        off_by_policy = $false
    }
    $policy = 'SOFTWARE\Policies\Microsoft\Windows Defender'
    $facts.off_by_policy = (Get-KeepwellDefenderPolicy -Key $policy -Name 'DisableAntiSpyware') -eq 1
    try {
        $status = Get-MpComputerStatus -ErrorAction Stop
        # AMRunningMode is a word of the product, the same in every language; older platforms do not have it.
        $modes = @{
            'Normal' = 'normal'
            'Passive Mode' = 'passive'
            'SxS Passive Mode' = 'passive'
            'EDR Block Mode' = 'edr_block'
            'Not running' = 'not_running'
        }
        $word = [string]$status.AMRunningMode
        if ($modes.ContainsKey($word)) {
            $facts.mode = $modes[$word]
        }
        elseif (-not $word) {
            $facts.mode = if ($status.AMServiceEnabled -and $status.AntivirusEnabled) { 'normal' } else { 'not_running' }
        }
        $facts.real_time = [bool]$status.RealTimeProtectionEnabled
        if ($null -ne $status.IsTamperProtected) {
            $facts.tamper_protected = [bool]$status.IsTamperProtected
        }
        if ($status.AntivirusSignatureVersion -and $status.AntivirusSignatureVersion -ne '0.0.0.0') {
            $facts.definitions.version = [string]$status.AntivirusSignatureVersion
            $facts.definitions.updated_at = ConvertTo-KeepwellEpoch -Moment $status.AntivirusSignatureLastUpdated
        }
        $facts.engine_version = [string]$status.AMEngineVersion
        $facts.platform_version = [string]$status.AMProductVersion
        $facts.last_quick = ConvertTo-KeepwellEpoch -Moment $status.QuickScanEndTime
        $facts.last_full = ConvertTo-KeepwellEpoch -Moment $status.FullScanEndTime
    }
    catch {
        $facts.error = Get-KeepwellDefenderCode -Record $_
    }
    if ($facts.mode -eq 'unknown' -and $facts.service.state -eq 'stopped') {
        # The service answers for itself: where it is down there is nobody to ask.
        $facts.mode = 'not_running'
    }
    $order = Get-KeepwellDefenderPolicy -Key "$policy\Signature Updates" -Name 'FallbackOrder'
    $facts.sources_by_policy = [bool]$order
    if (-not $order) {
        try {
            $order = (Get-MpPreference -ErrorAction Stop).SignatureFallbackOrder
        }
        catch {
            $order = ''
        }
    }
    $facts.sources = @([string]$order -split '\|' | ForEach-Object -Process { $_.Trim(' ', '{', '}') } | Where-Object -FilterScript { $_ })
    $updates = 'SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate'
    $used = (Get-KeepwellDefenderPolicy -Key "$updates\AU" -Name 'UseWUServer') -eq 1
    if ($used -and $facts.sources -contains 'InternalDefinitionUpdateServer') {
        $facts.wsus = [string](Get-KeepwellDefenderPolicy -Key $updates -Name 'WUServer')
    }
    return $facts
}

function Get-KeepwellDefenderRival {
    <#
    .SYNOPSIS
    Other products against malware: hashtables with product and active. Clients register them; on servers their services
    tell.
    #>
    [CmdletBinding()]
    param()
    $found = @{}
    try {
        # Servers have no such namespace.
        foreach ($product in @(Get-CimInstance -Namespace 'root/SecurityCenter2' -ClassName AntiVirusProduct -ErrorAction Stop)) {
            if ([string]$product.instanceGuid -eq '{D68DDC3A-831F-4fae-9E44-DA132C1ACF46}') {
                continue
            }
            $program = [System.Environment]::ExpandEnvironmentVariables([string]$product.pathToSignedProductExe).Trim('"')
            # What was taken off often stays registered: its program is gone.
            $stale = $program -match '^[A-Za-z]:\\' -and -not (Test-Path -LiteralPath $program -PathType Leaf)
            $active = -not $stale -and (([int64]$product.productState -band 0xF000) -eq 0x1000)
            $name = [string]$product.displayName
            $found[$name] = $active -or [bool]$found[$name]
        }
    }
    catch {
        $found = @{}
    }
    if (@($found.Keys | Where-Object -FilterScript { $found[$_] }).Count -eq 0) {
        # Agents that only manage or only watch are no engine.
        $others = @('WinDefend', 'WdNisSvc', 'Sense', 'EraAgentSvc', 'Sophos MCS Agent', 'HuntressAgent', 'WazuhSvc')
        $names = @(Get-KeepwellEngineName | Where-Object -FilterScript { $others -notcontains $_ })
        foreach ($service in @(Get-Service -Name $names -ErrorAction SilentlyContinue)) {
            $found[$service.DisplayName] = $service.Status -eq 'Running'
        }
    }
    return @($found.Keys | Sort-Object | ForEach-Object -Process { @{ product = $_; active = [bool]$found[$_] } })
}

function Get-KeepwellDefenderDetection {
    <#
    .SYNOPSIS
    What Defender's own record says of detections: hashtables, oldest first, 200 at most; $null when it cannot be read.
    .DESCRIPTION
    As the probe tells them, with the threat's own fields, the error's code and where it was found. status and additional
    are numbers of Defender (MP_THREAT_STATUS, AdditionalActionsBitMask); times are epoch seconds.
    #>
    [CmdletBinding()]
    param()
    try {
        $names = @{}
        foreach ($threat in @(Get-MpThreat -ErrorAction Stop)) {
            $names[[string]$threat.ThreatID] = $threat
        }
        $entries = @(Get-MpThreatDetection -ErrorAction Stop | Sort-Object -Property InitialDetectionTime | Select-Object -Last 200)
    }
    catch {
        return $null
    }
    $found = @()
    foreach ($entry in $entries) {
        $threat = $names[[string]$entry.ThreatID]
        $found += @{
            id = [string]$entry.DetectionID
            threat = [string]$entry.ThreatID
            name = if ($threat) { [string]$threat.ThreatName } else { '' }
            severity = if ($threat) { [int]$threat.SeverityID } else { $null }
            active = if ($threat) { [bool]$threat.IsActive } else { $null }
            executed = if ($threat) { [bool]$threat.DidThreatExecute } else { $null }
            status = [int]$entry.ThreatStatusID
            acted_well = [bool]$entry.ActionSuccess
            additional = [int64]$entry.AdditionalActionsBitMask
            error = [int64]$entry.ThreatStatusErrorCode
            first_at = ConvertTo-KeepwellEpoch -Moment $entry.InitialDetectionTime
            changed_at = ConvertTo-KeepwellEpoch -Moment $entry.LastThreatStatusChangeTime
            # file:_C:\folder\name: what stands before the first underscore is the kind.
            resources = @(@($entry.Resources) | Where-Object -FilterScript { $_ } | ForEach-Object -Process { [string]$_ -replace '^[a-z]+:_', '' } | Select-Object -First 5)
        }
    }
    return , $found
}

function Get-KeepwellStoppedDefender {
    <#
    .SYNOPSIS
    Defender's service where it is down: its name and what stands against starting it ('' for nothing).
    #>
    [CmdletBinding()]
    param(
        [Parameter()] [AllowNull()] [System.Collections.IDictionary] $Defender,
        [Parameter()] [AllowEmptyCollection()] [object[]] $Others = @()
    )
    if ($null -eq $Defender -or $Defender.service.state -ne 'stopped') {
        return @{}
    }
    $engine = @($Others | Where-Object -FilterScript { $_.active } | ForEach-Object -Process { $_.product })
    $against = ''
    if ($engine.Count -gt 0) {
        $against = "$($engine -join ' and ') is the engine of this host"
    }
    elseif ($Defender.off_by_policy) {
        $against = 'a policy switches Defender off (DisableAntiSpyware): take that back where it was set'
    }
    elseif ($Defender.service.start -eq 'disabled') {
        $against = 'it is disabled: somebody wants it never to run'
    }
    return @{ WinDefend = $against }
}

Export-ModuleMember -Function @(
    'Get-KeepwellDefenderCode',
    'Get-KeepwellDefenderDetection',
    'Get-KeepwellDefenderPolicy',
    'Get-KeepwellDefenderRival',
    'Get-KeepwellDefenderState',
    'Get-KeepwellStoppedDefender'
)
