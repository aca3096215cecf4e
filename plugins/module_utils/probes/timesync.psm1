# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Is the clock kept right, by whom, from which sources, and how far off is it?
#
# w32tm answers in the language of Windows, so it is not asked: the service's settings are read, its own words come from
# its events, and each of its sources is asked for the time once (RFC 4330), which changes nothing.
#
# Raw facts; plugins/plugin_utils/windows_hosts/timesync.py makes the document of timesync.py from them.
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine

function Get-KeepwellTimesyncFacts {
    <#
    .SYNOPSIS
    Return @{ services; type; listed; client_enabled; guest_enabled; local_rtc; samples; events }; unread is $null.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Parameters
    )
    $services = Get-KeepwellTimeService -Machine $Machine
    if ($null -eq $services) {
        $source = $Machine.sources['time services']
        Stop-KeepwellProbe -Status ([string]$source.status) -Detail "the time services could not be looked up: $($source.detail)"
    }
    $root = 'SYSTEM\CurrentControlSet\Services\W32Time'
    $settings = Get-KeepwellRegistryValue -Machine $Machine -Key "$root\Parameters" -Source 'w32time'
    $policy = Get-KeepwellRegistryValue -Machine $Machine -Key 'SOFTWARE\Policies\Microsoft\W32Time\Parameters' -Source 'w32time'
    $client = Get-KeepwellRegistryValue -Machine $Machine -Key "$root\TimeProviders\NtpClient" -Source 'w32time'
    $guest = Get-KeepwellRegistryValue -Machine $Machine -Key "$root\TimeProviders\VMICTimeProvider" -Source 'w32time'
    $zone = Get-KeepwellRegistryValue -Machine $Machine -Key 'SYSTEM\CurrentControlSet\Control\TimeZoneInformation' -Source 'time zone'
    $kind = Get-KeepwellValue -From $policy -Name 'Type'
    if (-not $kind) { $kind = Get-KeepwellValue -From $settings -Name 'Type' }
    $listed = Get-KeepwellValue -From $policy -Name 'NtpServer'
    if (-not $listed) { $listed = Get-KeepwellValue -From $settings -Name 'NtpServer' }
    $addresses = Get-KeepwellTimeSource -Machine $Machine -Kind ([string]$kind) -Listed ([string]$listed)
    return @{
        services = $services
        type = [string]$kind
        listed = [string]$listed
        client_enabled = Get-KeepwellValue -From $client -Name 'Enabled'
        guest_enabled = Get-KeepwellValue -From $guest -Name 'Enabled'
        local_rtc = -not [bool](Get-KeepwellValue -From $zone -Name 'RealTimeIsUniversal')
        samples = @(foreach ($address in $addresses) {
            # A name that cannot be resolved takes long to say so.
            if ((Get-KeepwellTimeLeft -Machine $Machine) -gt 4) { Get-KeepwellTimeSample -Address $address }
        })
        events = Get-KeepwellTimeEvent -Machine $Machine
    }
}

function Get-KeepwellTimeService {
    <#
    .SYNOPSIS
    Return the time services that exist, by name: @{ state; start; trigger }; $null when they cannot be looked up.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $services = @{}
    $filter = "Name='W32Time' OR Name='NTP' OR Name='vmictimesync'"
    $found = @(Get-KeepwellInstance -Machine $Machine -Class 'Win32_Service' -Filter $filter -Property 'Name', 'State', 'StartMode' -Source 'time services')
    if ($Machine.sources['time services'].status -ne 'ok') {
        return $null
    }
    foreach ($service in $found) {
        $services[[string]$service.Name] = @{
            state = [string]$service.State
            start = [string]$service.StartMode
            trigger = Test-KeepwellRegistryKey -Machine $Machine -Key "SYSTEM\CurrentControlSet\Services\$($service.Name)\TriggerInfo" -Source 'time services'
        }
    }
    return $services
}

function Get-KeepwellTimeSource {
    <#
    .SYNOPSIS
    Return the addresses that the time service may ask, at most four: those in its list, or the domain's controllers.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [AllowEmptyString()] [string] $Kind,
        [AllowEmptyString()] [string] $Listed
    )
    $addresses = @()
    if ($Kind -eq 'NTP' -or $Kind -eq 'AllSync') {
        # "time.windows.com,0x9 ntp1.example,0x8": names with flags behind a comma.
        $addresses += @($Listed -split '\s+' | ForEach-Object -Process { ($_ -split ',')[0] } | Where-Object -FilterScript { $_ })
    }
    if ($Kind -eq 'NT5DS' -or $Kind -eq 'AllSync') {
        $domains = @(Get-KeepwellInstance -Machine $Machine -Class 'Win32_NTDomain' -Filter 'DomainControllerName IS NOT NULL' -Property 'DomainControllerName' -Source 'domain controllers')
        $addresses += @($domains | ForEach-Object -Process { ([string]$_.DomainControllerName).TrimStart('\') } | Where-Object -FilterScript { $_ })
    }
    $addresses | Select-Object -Unique -First 4
}

function Get-KeepwellTimeSample {
    <#
    .SYNOPSIS
    Ask a source for the time once: @{ address; answered; offset_s; stratum; leap }, offset positive: this clock is behind.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Address
    )
    $sample = @{ address = $Address; answered = $false; offset_s = $null; stratum = $null; leap = $null }
    $client = New-Object -TypeName System.Net.Sockets.UdpClient
    try {
        $client.Client.ReceiveTimeout = 1500
        $client.Connect($Address, 123)
        # Version 4, mode client; the rest of the 48 bytes may be empty.
        $question = New-Object -TypeName 'System.Byte[]' -ArgumentList 48
        $question[0] = 0x23
        $sent = [System.DateTime]::UtcNow
        $clock = [System.Diagnostics.Stopwatch]::StartNew()
        $null = $client.Send($question, $question.Length)
        $from = New-Object -TypeName System.Net.IPEndPoint -ArgumentList ([System.Net.IPAddress]::Any), 0
        $answer = $client.Receive([ref]$from)
        $travel = $clock.Elapsed.TotalSeconds
        if ($answer.Length -ge 48 -and ($answer[0] -band 7) -eq 4) {
            $arrived = Get-KeepwellTimestamp -Packet $answer -Place 32
            $left = Get-KeepwellTimestamp -Packet $answer -Place 40
            $asked = ConvertTo-KeepwellEpoch -Moment $sent
            $sample.answered = $true
            $sample.stratum = [int]$answer[1]
            $sample.leap = [int]($answer[0] -shr 6)
            $sample.offset_s = [System.Math]::Round((($arrived - $asked) + ($left - ($asked + $travel))) / 2, 6)
        }
    }
    catch {
        # A source that does not answer is a fact of its own; the list of samples says so.
        $sample.detail = (Get-KeepwellFailure -ErrorRecord $_).detail
    }
    finally {
        $client.Close()
    }
    return $sample
}

function Get-KeepwellTimestamp {
    <#
    .SYNOPSIS
    Return a timestamp of NTP (seconds since 1900 and a fraction, eight bytes) as epoch seconds.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [byte[]] $Packet,
        [Parameter(Mandatory = $true)] [int] $Place
    )
    $seconds = 0.0
    $fraction = 0.0
    for ($byte = 0; $byte -lt 4; $byte++) {
        $seconds = $seconds * 256 + $Packet[$Place + $byte]
        $fraction = $fraction * 256 + $Packet[$Place + 4 + $byte]
    }
    return $seconds - 2208988800.0 + $fraction / 4294967296.0
}

function Get-KeepwellTimeEvent {
    <#
    .SYNOPSIS
    Return what the time service said of itself in the last week: @{ id; at; values }; $null when that cannot be read.
    .DESCRIPTION
    35 follows this source, 37 receives good time; 24 29 36 38 47 129 134 do not: no source, no answer, not in step.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $found = @(Get-KeepwellEvent -Machine $Machine -Log 'System' -Provider 'Microsoft-Windows-Time-Service' -Id 24, 29, 35, 36, 37, 38, 47, 129, 134 -SinceS 604800 -Cap 20 -Source 'time events')
    if ($Machine.sources['time events'].status -ne 'ok') {
        return $null
    }
    return , @($found | ForEach-Object -Process { @{ id = $_.id; at = $_.at; values = $_.data } })
}

Export-ModuleMember -Function '*'
