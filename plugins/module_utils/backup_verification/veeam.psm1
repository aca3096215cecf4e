# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Veeam Agent for Microsoft Windows: what the logs of its own sessions say. Nothing of Veeam is run.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone: work that outlives its connection takes them along.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine

function Get-KeepwellVeeam {
    <#
    .SYNOPSIS
    {status, detail, tool, facts} of Veeam Agent on this host; facts: sessions, oldest first, and running.
    #>
    [CmdletBinding()]
    param()
    $answer = @{ status = 'ok'; detail = ''; tool = @{ name = 'Veeam Agent'; version = $null; path = $null }; facts = $null }
    $machine = New-KeepwellMachine -LimitS 60
    # Up to version 6 of the agent it is called Endpoint.
    $values = Get-KeepwellRegistryValue -Machine $machine -Key 'SOFTWARE\Veeam\Veeam Endpoint Backup'
    if ($null -eq $values) {
        $values = Get-KeepwellRegistryValue -Machine $machine -Key 'SOFTWARE\Veeam\Veeam Agent for Microsoft Windows'
    }
    $service = Get-Service -Name 'VeeamEndpointBackupSvc' -ErrorAction SilentlyContinue
    if ($null -eq $values -and $null -eq $service) {
        $answer.status = 'absent'
        $answer.detail = 'Veeam Agent for Microsoft Windows is not installed on this host.'
        return $answer
    }
    $place = Join-Path -Path $env:ProgramData -ChildPath 'Veeam\Endpoint'
    if ($null -ne $values) {
        $answer.tool.path = [string]$values['InstallationPath']
        $answer.tool.version = [string]$values['CoreVersion']
        if ([string]$values['LogDirectory'] -match '^[A-Za-z]:\\') {
            $place = [string]$values['LogDirectory']
        }
    }
    if ($answer.tool.version -eq '') {
        $answer.tool.version = $null
    }
    try {
        $logs = @(Get-ChildItem -LiteralPath $place -Filter '*.Backup*.log' -Recurse -File -ErrorAction Stop)
    }
    catch {
        $failure = Get-KeepwellFailure -ErrorRecord $_
        $answer.status = if ($failure.status -eq 'denied') { 'denied' } else { 'no_repository' }
        $answer.detail = "The logs of Veeam Agent cannot be read ($place)."
        return $answer
    }
    $sessions = @()
    $running = $false
    foreach ($log in @($logs | Sort-Object -Property LastWriteTimeUtc | Select-Object -Last 100)) {
        $read = Read-KeepwellVeeamLog -Path $log.FullName -Job $log.Directory.Name
        $sessions += @($read.sessions)
        # A session without an end, in a log that is still written.
        if ($read.open -and ([System.DateTime]::UtcNow - $log.LastWriteTimeUtc).TotalMinutes -lt 15) {
            $running = $true
        }
    }
    $answer.facts = @{ sessions = @($sessions | Sort-Object -Property { $_.ended_at } | Select-Object -Last 200); running = $running }
    return $answer
}

function Read-KeepwellVeeamLog {
    <#
    .SYNOPSIS
    Sessions that ended by this log, and whether one was begun and has not ended.
    .DESCRIPTION
    The log is written in English whatever the host's language, its times are local: dd.MM.yyyy HH:mm:ss.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Path,
        [Parameter(Mandatory = $true)] [string] $Job
    )
    $sessions = @()
    $started = $null
    $stamp = '^\[(\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d)(\.\d+)?\]'
    foreach ($line in @(Get-Content -LiteralPath $Path -Tail 20000 -ErrorAction Stop)) {
        $stamped = $line -match $stamp
        if (-not $stamped) {
            continue
        }
        $at = Read-KeepwellVeeamTime -Text $Matches[1]
        if ($line -match 'Starting job mode:') {
            $started = $at
        }
        elseif ($line -match "Job session '([^']+)' has been completed, status: '(Success|Warning|Failed)'(.*)$") {
            $words = $Matches
            $details = if ($words[3] -match "details: '([^']{1,200})") { $Matches[1] } else { '' }
            $sessions += @{
                id = $words[1]
                job = $Job
                started_at = $started
                ended_at = $at
                result = $words[2].ToLowerInvariant()
                text = $details
            }
            $started = $null
        }
    }
    return @{ sessions = $sessions; open = $null -ne $started }
}

function Read-KeepwellVeeamTime {
    <#
    .SYNOPSIS
    Epoch seconds of a time in a log.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Text)
    $culture = [System.Globalization.CultureInfo]::InvariantCulture
    $moment = [System.DateTime]::ParseExact($Text, 'dd.MM.yyyy HH:mm:ss', $culture, [System.Globalization.DateTimeStyles]::AssumeLocal)
    return ConvertTo-KeepwellEpoch -Moment $moment
}

Export-ModuleMember -Function @(
    'Get-KeepwellVeeam',
    'Read-KeepwellVeeamLog',
    'Read-KeepwellVeeamTime'
)
