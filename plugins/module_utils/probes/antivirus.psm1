# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Which engines against malware a host has, whether they run, what they have loaded and what they say of themselves.
#
# Raw facts; plugins/plugin_utils/windows_hosts/antivirus.py makes the document of antivirus.py from them.
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine

function Get-KeepwellAntivirusFacts {
    <#
    .SYNOPSIS
    Return @{ defender; passive_forced; onboarded; centre; services }; what could not be read is $null.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Parameters
    )
    $policy = Get-KeepwellRegistryValue -Machine $Machine -Key 'SOFTWARE\Policies\Microsoft\Windows Advanced Threat Protection' -Source 'defender policy'
    $endpoint = Get-KeepwellRegistryValue -Machine $Machine -Key 'SOFTWARE\Microsoft\Windows Advanced Threat Protection\Status' -Source 'defender policy'
    $defender = Get-KeepwellDefender -Machine $Machine
    $centre = Get-KeepwellSecurityCentre -Machine $Machine
    $services = Get-KeepwellEngineService -Machine $Machine -Names (Get-KeepwellEngineName)
    if ($null -eq $defender -and $null -ne $services -and (-not $services['WinDefend'] -or $services['WinDefend'].state -eq 'Stopped')) {
        # Its classes fail while its service does not run: there is nobody to ask.
        $Machine.sources['defender'] = @{ status = 'absent'; detail = 'the service of Defender does not run' }
    }
    if ($null -eq $services -and $null -eq $defender -and -not $centre) {
        # Nobody could be asked: that is not a host without an engine.
        $told = $Machine.sources['engine services']
        Stop-KeepwellProbe -Status ([string]$told.status) -Detail "the services of engines could not be looked up: $($told.detail)"
    }
    return @{
        defender = $defender
        passive_forced = Get-KeepwellValue -From $policy -Name 'ForceDefenderPassiveMode'
        onboarded = Get-KeepwellValue -From $endpoint -Name 'OnboardingState'
        centre = $centre
        services = $services
    }
}

function Get-KeepwellEngineName {
    <#
    .SYNOPSIS
    Return the services of known engines: what they are, Python knows (windows_hosts/antivirus.py, PRODUCTS).
    #>
    [CmdletBinding()]
    param()
    return @(
        'WinDefend', 'WdNisSvc', 'Sense',
        'CSFalconService', 'SentinelAgent', 'ekrn', 'EraAgentSvc', 'SAVService', 'Sophos Endpoint Defense Service',
        'Sophos MCS Agent', 'EPSecurityService', 'EPProtectedService', 'ds_agent', 'ntrtscan', 'mfetp', 'masvc',
        'KAVFS', 'AVP', 'SepMasterService', 'WRSVC', 'CylanceSvc', 'MBAMService', 'CarbonBlack', 'CbDefense',
        'FSMA', 'fshoster', 'PandaAetherAgent', 'NanoServiceMain', 'HuntressAgent', 'WazuhSvc'
    )
}

function Get-KeepwellDefender {
    <#
    .SYNOPSIS
    Return @{ status; preference; threats; detections } of Microsoft Defender Antivirus; $null where it cannot be asked.
    .DESCRIPTION
    The names in status and preference are those of the classes MSFT_MpComputerStatus and MSFT_MpPreference.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $space = 'root/Microsoft/Windows/Defender'
    $found = @(Get-KeepwellInstance -Machine $Machine -Class 'MSFT_MpComputerStatus' -Namespace $space -Source 'defender')[0]
    if ($null -eq $found) {
        return $null
    }
    $status = @{}
    $plain = @(
        'AMEngineVersion', 'AMProductVersion', 'AMRunningMode', 'AMServiceEnabled', 'AMServiceVersion',
        'AntispywareEnabled', 'AntivirusEnabled', 'AntivirusSignatureAge', 'AntivirusSignatureVersion',
        'BehaviorMonitorEnabled', 'DefenderSignaturesOutOfDate', 'FullScanAge', 'FullScanRequired',
        'IoavProtectionEnabled', 'IsTamperProtected', 'NISEnabled', 'OnAccessProtectionEnabled', 'ProductStatus',
        'QuickScanAge', 'RealTimeProtectionEnabled', 'RebootRequired'
    )
    foreach ($name in $plain) {
        $status[$name] = $found.$name
    }
    foreach ($name in @('AntivirusSignatureLastUpdated', 'FullScanEndTime', 'QuickScanEndTime')) {
        $status[$name] = ConvertTo-KeepwellEpoch -Moment $found.$name
    }
    return @{
        status = $status
        preference = Get-KeepwellDefenderPreference -Machine $Machine -Namespace $space
        threats = Get-KeepwellThreat -Machine $Machine -Namespace $space
        detections = Get-KeepwellDetection -Machine $Machine -Namespace $space
    }
}

function Get-KeepwellDefenderPreference {
    <#
    .SYNOPSIS
    Return what Defender is set to pass by or to leave off. Exclusions are hidden from who is no administrator.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [Parameter(Mandatory = $true)] [string] $Namespace
    )
    $found = @(Get-KeepwellInstance -Machine $Machine -Class 'MSFT_MpPreference' -Namespace $Namespace -Source 'defender preference')[0]
    if ($null -eq $found) {
        return $null
    }
    $preference = @{}
    foreach ($name in @('ExclusionPath', 'ExclusionProcess', 'ExclusionExtension')) {
        $preference[$name] = @(ConvertTo-KeepwellText -Values $found.$name)
    }
    foreach ($name in @('DisableRealtimeMonitoring', 'DisableBehaviorMonitoring', 'DisableIOAVProtection', 'MAPSReporting', 'PUAProtection', 'SignatureScheduleDay', 'ScanScheduleDay')) {
        $preference[$name] = if ($null -eq $found.$name) { $null } else { [int]$found.$name }
    }
    return $preference
}

function Get-KeepwellThreat {
    <#
    .SYNOPSIS
    Return the threats that Defender knows of on this host, by their ids.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [Parameter(Mandatory = $true)] [string] $Namespace
    )
    $threats = @{}
    foreach ($threat in @(Get-KeepwellInstance -Machine $Machine -Class 'MSFT_MpThreat' -Namespace $Namespace -Source 'defender threats')) {
        $threats[[string]$threat.ThreatID] = @{
            name = [string]$threat.ThreatName
            severity = [int]$threat.SeverityID
            active = [bool]$threat.IsActive
            executed = [bool]$threat.DidThreatExecute
        }
    }
    return $threats
}

function Get-KeepwellDetection {
    <#
    .SYNOPSIS
    Return the last 100 detections, newest first; $null when they cannot be read. Paths leave this host as hashes alone.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [Parameter(Mandatory = $true)] [string] $Namespace
    )
    $found = @(Get-KeepwellInstance -Machine $Machine -Class 'MSFT_MpThreatDetection' -Namespace $Namespace -Source 'defender detections')
    if ($Machine.sources['defender detections'].status -ne 'ok') {
        return $null
    }
    if ($found.Count -gt 100) {
        $Machine.truncated = $true
    }
    $newest = @($found | Sort-Object -Property 'InitialDetectionTime' -Descending | Select-Object -First 100)
    return , @($newest | ForEach-Object -Process {
        @{
            id = [string]$_.DetectionID
            threat = [string]$_.ThreatID
            first_at = ConvertTo-KeepwellEpoch -Moment $_.InitialDetectionTime
            changed_at = ConvertTo-KeepwellEpoch -Moment $_.LastThreatStatusChangeTime
            acted_well = [bool]$_.ActionSuccess
            status = [int]$_.ThreatStatusID
            execution = [int]$_.CurrentThreatExecutionStatusID
            additional = [long]$_.AdditionalActionsBitMask
            path_hash = Get-KeepwellHash -Text (@(ConvertTo-KeepwellText -Values $_.Resources) -join '|')
        }
    })
}

function Get-KeepwellHash {
    <#
    .SYNOPSIS
    Return the first 16 hexadecimal digits of a text's SHA-256.
    #>
    [CmdletBinding()]
    param(
        [AllowEmptyString()] [string] $Text
    )
    $maker = [System.Security.Cryptography.SHA256]::Create()
    try {
        $digest = $maker.ComputeHash([System.Text.Encoding]::UTF8.GetBytes($Text))
    }
    finally {
        $maker.Dispose()
    }
    return ([System.BitConverter]::ToString($digest) -replace '-', '').ToLowerInvariant().Substring(0, 16)
}

function Get-KeepwellSecurityCentre {
    <#
    .SYNOPSIS
    Return the engines that told Windows Security of themselves: @{ name; guid; state; program_exists; timestamp }.
    .DESCRIPTION
    $null on servers: they have no Security Center. An engine that was taken off may leave its entry behind.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $found = @(Get-KeepwellInstance -Machine $Machine -Class 'AntiVirusProduct' -Namespace 'root/SecurityCenter2' -Source 'security center')
    if ($Machine.sources['security center'].status -ne 'ok') {
        return $null
    }
    return , @($found | ForEach-Object -Process {
        $program = [System.Environment]::ExpandEnvironmentVariables([string]$_.pathToSignedReportingExe)
        @{
            name = [string]$_.displayName
            guid = [string]$_.instanceGuid
            state = [long]$_.productState
            # Defender names itself by "windowsdefender://": that is no file.
            program_exists = if ($program -match '^[A-Za-z]:\\') { [System.IO.File]::Exists($program) } else { $null }
            timestamp = [string]$_.timestamp
        }
    })
}

function Get-KeepwellEngineService {
    <#
    .SYNOPSIS
    Return those of these services that exist, by name: @{ state; start; version }, version of the program it runs; $null
    when they cannot be looked up.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [Parameter(Mandatory = $true)] [string[]] $Names
    )
    $services = @{}
    $filter = @($Names | ForEach-Object -Process { "Name='$_'" }) -join ' OR '
    $found = @(Get-KeepwellInstance -Machine $Machine -Class 'Win32_Service' -Filter $filter -Property 'Name', 'State', 'StartMode', 'PathName' -Source 'engine services')
    if ($Machine.sources['engine services'].status -ne 'ok') {
        return $null
    }
    foreach ($service in $found) {
        $program = [System.Environment]::ExpandEnvironmentVariables([string]$service.PathName)
        $file = if ($program -match '^"([^"]+)"') { $Matches[1] } elseif ($program -match '^(.+?\.exe)') { $Matches[1] } else { '' }
        $services[[string]$service.Name] = @{
            state = [string]$service.State
            start = [string]$service.StartMode
            version = if ($file -and [System.IO.File]::Exists($file)) { [string][System.Diagnostics.FileVersionInfo]::GetVersionInfo($file).ProductVersion } else { $null }
        }
    }
    return $services
}

Export-ModuleMember -Function '*'
