# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The work on a Windows host, step by step: start Defender, bring its definitions up to date, let it scan. What came of it
# is told by versions, times and Defender's own record, before and after, never by the end of a command. Nothing here
# changes a setting of Defender, and nothing touches another product.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone: work that outlives its connection takes them along.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.antivirus.defender
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.folder

function Invoke-KeepwellAntivirusWork {
    <#
    .SYNOPSIS
    Do the steps of a request; one that fails does not keep back the others. Returns outcome, code and text.
    .DESCRIPTION
    Save is called with the fields of state.json that changed.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] $Request,
        [Parameter(Mandatory = $true)] [scriptblock] $Save
    )
    $phases = @{ repair = 'repairing'; update = 'updating'; scan = 'scanning' }
    $codes = @{ repair = 'repair_failed'; update = 'not_updated'; scan = 'scan_unanswered' }
    $results = @{}
    $failed = @()
    foreach ($name in @($Request.steps)) {
        $null = & $Save @{ phase = $phases[$name] }
        $began = Get-KeepwellNow
        try {
            switch ($name) {
                'repair' { $answer = Start-KeepwellDefender -Asked $Request.repair }
                'update' { $answer = Update-KeepwellDefinition -Wait ([double]$Request.splay_s) -Asked $Request.update }
                'scan' { $answer = Invoke-KeepwellDefenderScan -Asked $Request.scan }
                default { $answer = @{ result = 'failed'; code = 'internal'; text = "Windows hosts have no step $name" } }
            }
        }
        catch {
            $answer = @{ result = 'failed'; code = $codes[$name]; text = "Defender answered $(Get-KeepwellDefenderCode -Record $_)" }
        }
        $answer.began = $began
        $answer.ended = Get-KeepwellNow
        $results[$name] = $answer
        $null = & $Save @{ results = $results }
        if ($answer.result -eq 'failed') {
            $failed += @{ name = $name; answer = $answer }
        }
    }
    if ($failed.Count -eq 0) {
        return @{ outcome = 'done'; code = ''; text = '' }
    }
    $sentences = @($failed | ForEach-Object -Process { "$($_.name): $(([string]$_.answer.text).TrimEnd('.'))." })
    return @{ outcome = 'failed'; code = [string]$failed[0].answer.code; text = $sentences -join ' ' }
}

function Start-KeepwellDefender {
    <#
    .SYNOPSIS
    Start Defender's service where it is down and nothing stands against it, after noting what the host says of it.
    #>
    [CmdletBinding()]
    param([Parameter()] [AllowNull()] $Asked)
    $defender = Get-KeepwellDefenderState
    $stopped = Get-KeepwellStoppedDefender -Defender $defender -Others @(Get-KeepwellDefenderRival)
    if ($stopped.Count -eq 0) {
        return @{ result = 'done'; code = ''; text = 'nothing that is meant to run is down'; units = @{} }
    }
    $against = [string]$stopped.WinDefend
    if ($against) {
        $unit = @{ result = 'left'; text = $against; evidence = '' }
        return @{ result = 'done'; code = ''; text = "left WinDefend down: $against"; units = @{ WinDefend = $unit } }
    }
    $earlier = Get-KeepwellRepairCount
    if ($earlier -ge [int]$Asked.per_day) {
        $text = "it was started $earlier times within a day: find out why it goes down"
        $unit = @{ result = 'limit'; text = $text; evidence = '' }
        return @{ result = 'failed'; code = 'repair_failed'; text = "WinDefend: $text"; units = @{ WinDefend = $unit } }
    }
    $evidence = Get-KeepwellDefenderEvidence
    $attempts = [System.Math]::Max(1, [int]$Asked.attempts)
    $said = ''
    for ($attempt = 1; $attempt -le $attempts; $attempt++) {
        try {
            Start-Service -Name 'WinDefend' -ErrorAction Stop
        }
        catch {
            $said = " ($(Get-KeepwellDefenderCode -Record $_))"
        }
        Start-Sleep -Seconds 3
        if ((Get-Service -Name 'WinDefend').Status -eq 'Running') {
            $text = if ($attempt -gt 1) { "started at attempt $attempt" } else { 'started' }
            $unit = @{ result = 'started'; text = $text; evidence = $evidence }
            return @{ result = 'done'; code = ''; text = 'started WinDefend'; units = @{ WinDefend = $unit } }
        }
    }
    $text = "it does not stay up after $attempts attempts$said"
    $unit = @{ result = 'failed'; text = $text; evidence = $evidence }
    return @{ result = 'failed'; code = 'repair_failed'; text = "WinDefend: $text"; units = @{ WinDefend = $unit } }
}

function Get-KeepwellRepairCount {
    <#
    .SYNOPSIS
    How often Keepwell started Defender, or tried to, within the last 24 hours.
    #>
    [CmdletBinding()]
    param()
    $count = 0
    foreach ($id in @(Get-KeepwellWorkId -Chore 'antivirus')) {
        $state = Read-KeepwellDocument -Folder (Get-KeepwellWorkFolder -Chore 'antivirus' -Id $id) -Name 'state.json'
        if ($null -eq $state -or $null -eq $state.results -or $null -eq $state.results.repair) {
            continue
        }
        $unit = $state.results.repair.units.WinDefend
        $recent = ((Get-KeepwellNow) - [double]$state.results.repair.began) -lt 86400
        if ($unit -and $recent -and @('started', 'failed') -contains $unit.result) {
            $count++
        }
    }
    return $count
}

function Get-KeepwellDefenderEvidence {
    <#
    .SYNOPSIS
    What the event logs say of Defender going down, by time, number and code: what they say in words is in the host's
    language.
    #>
    [CmdletBinding()]
    param()
    $lines = @()
    # 5001, 5010, 5012: protection was switched off; 5008: the engine failed; 7023, 7024, 7031, 7034: the service ended.
    $asked = @(
        @{ LogName = 'Microsoft-Windows-Windows Defender/Operational'; Id = 3002, 5001, 5008, 5010, 5012 },
        @{ LogName = 'System'; ProviderName = 'Service Control Manager'; Id = 7023, 7024, 7031, 7034 }
    )
    foreach ($filter in $asked) {
        try {
            foreach ($event in @(Get-WinEvent -FilterHashtable $filter -MaxEvents 20 -ErrorAction Stop)) {
                $values = @($event.Properties | ForEach-Object -Process { [string]$_.Value })
                if ($filter.LogName -eq 'System' -and ($values -join ' ') -notmatch 'Defender|WinDefend') {
                    continue
                }
                $at = $event.TimeCreated.ToUniversalTime().ToString('s', [System.Globalization.CultureInfo]::InvariantCulture)
                $lines += "${at}Z $($filter.LogName) $($event.Id)"
            }
        }
        catch {
            # No such event, or no such log: there is nothing to tell.
            continue
        }
    }
    return (@($lines | Sort-Object | Select-Object -Last 20) -join "`n")
}

function Update-KeepwellDefinition {
    <#
    .SYNOPSIS
    Let Defender fetch definitions, and find out by their version and age whether it did.
    .DESCRIPTION
    Asked.current_s: definitions of the same version that are younger than that are current. Defender asks its sources in
    their order; Microsoft's own server is asked as well, unless a policy or a WSUS server says where they come from.
    #>
    [CmdletBinding()]
    param(
        [Parameter()] [double] $Wait = 0,
        [Parameter(Mandatory = $true)] $Asked
    )
    if ($Wait -gt 0) {
        Start-Sleep -Milliseconds ([int]($Wait * 1000))
    }
    $before = Get-KeepwellDefenderState
    if ($null -eq $before) {
        return @{ result = 'failed'; code = 'no_engine'; text = 'Defender is not installed'; engines = @() }
    }
    $tries = @()
    $after = $before
    $ways = @('')
    if (-not $before.sources_by_policy -and -not $before.wsus -and $before.sources -notcontains 'MMPC') {
        $ways += 'MMPC'
    }
    foreach ($way in $ways) {
        $named = if ($way) { $way } else { 'its sources' }
        try {
            if ($way) {
                $null = Update-MpSignature -UpdateSource $way -ErrorAction Stop
            }
            else {
                $null = Update-MpSignature -ErrorAction Stop
            }
            $tries += "$named answered"
        }
        catch {
            $tries += "$named answered $(Get-KeepwellDefenderCode -Record $_)"
        }
        $after = Get-KeepwellDefenderState
        if (Test-KeepwellDefinitionFresh -Before $before -After $after -Limit ([double]$Asked.current_s)) {
            break
        }
    }
    $changed = $after.definitions.version -and $after.definitions.version -ne $before.definitions.version
    $fresh = Test-KeepwellDefinitionFresh -Before $before -After $after -Limit ([double]$Asked.current_s)
    $result = if (-not $fresh) { 'failed' } elseif ($changed) { 'updated' } else { 'current' }
    $from = if ($after.wsus) { "the WSUS server $($after.wsus)" } else { $after.sources -join ', ' }
    $text = "$($tries -join '; ') (sources: $from)"
    if ($result -eq 'failed') {
        $text = "definitions are as they were and old: $text"
    }
    $engine = @{
        engine = 'Defender'
        result = $result
        text = $text
        before = @{ disk = $before.definitions.version; loaded = $null }
        after = @{ disk = $after.definitions.version; loaded = $null; disk_built_at = $after.definitions.updated_at }
    }
    $ended = if ($result -eq 'failed') { 'failed' } else { 'done' }
    $code = if ($result -eq 'failed') { 'not_updated' } else { '' }
    return @{ result = $ended; code = $code; text = "Defender: $text"; engines = @($engine) }
}

function Test-KeepwellDefinitionFresh {
    <#
    .SYNOPSIS
    True when there are definitions, and they are others than before or young.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Before,
        [Parameter()] [AllowNull()] [System.Collections.IDictionary] $After,
        [Parameter(Mandatory = $true)] [double] $Limit
    )
    if ($null -eq $After -or -not $After.definitions.version) {
        return $false
    }
    if ($After.definitions.version -ne $Before.definitions.version) {
        return $true
    }
    $updated = $After.definitions.updated_at
    return $null -ne $updated -and ((Get-KeepwellNow) - $updated) -lt $Limit
}

function Invoke-KeepwellDefenderScan {
    <#
    .SYNOPSIS
    Let Defender scan, for so many seconds at most; told is its record of detections before and after.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] $Asked)
    $full = $Asked.kind -eq 'full'
    $type = if ($full) { 'FullScan' } else { 'QuickScan' }
    $field = if ($full) { 'last_full' } else { 'last_quick' }
    $facts = @{
        scanner = if ($full) { 'Full scan by Defender' } else { 'Quick scan by Defender' }
        whole = $false; reached = $null; resumed = $false; files = $null; bytes = $null; found = 0
        before = @(); after = @()
    }
    $seen = Get-KeepwellDefenderDetection
    if ($null -ne $seen) {
        $facts.before = $seen
    }
    $last = (Get-KeepwellDefenderState).$field
    $job = Start-MpScan -ScanType $type -AsJob -ErrorAction Stop
    $null = Wait-Job -Job $job -Timeout ([int]$Asked.seconds)
    $said = ''
    if ($job.State -eq 'Running') {
        Stop-KeepwellDefenderScan
        $said = 'it came to its time limit and was ended'
    }
    elseif ($job.State -eq 'Failed') {
        $record = @($job.ChildJobs | ForEach-Object -Process { $_.Error }) + @($job.Error) | Select-Object -First 1
        $said = if ($record) { "Defender answered $(Get-KeepwellDefenderCode -Record $record)" } else { 'Defender ended it with an error' }
    }
    Remove-Job -Job $job -Force -ErrorAction SilentlyContinue
    $seen = Get-KeepwellDefenderDetection
    if ($null -ne $seen) {
        $facts.after = $seen
    }
    $ended = (Get-KeepwellDefenderState).$field
    $facts.whole = $null -ne $ended -and $ended -ne $last
    $known = @($facts.before | ForEach-Object -Process { $_.id })
    $facts.found = @($facts.after | Where-Object -FilterScript { $known -notcontains $_.id }).Count
    if ($facts.whole -or $said -like 'it came*') {
        $facts.result = 'done'
        $facts.code = ''
        $facts.text = "$($facts.scanner): $($facts.found) new detections" + $(if ($said) { "; $said" } else { '' })
    }
    else {
        $facts.result = 'failed'
        $facts.code = 'scan_unanswered'
        $facts.text = "the scan did not end by Defender's own record" + $(if ($said) { " ($said)" } else { '' })
    }
    return $facts
}

function Stop-KeepwellDefenderScan {
    <#
    .SYNOPSIS
    End a quick or full scan that is at work, by Defender's own program.
    #>
    [CmdletBinding()]
    param()
    $place = Get-KeepwellDefenderPolicy -Key 'SOFTWARE\Microsoft\Windows Defender' -Name 'InstallLocation'
    $program = Join-Path -Path ([string]$place) -ChildPath 'MpCmdRun.exe'
    if ($place -and (Test-Path -LiteralPath $program -PathType Leaf)) {
        $null = & $program -Scan -Cancel
    }
}

Export-ModuleMember -Function @(
    'Get-KeepwellDefenderEvidence',
    'Get-KeepwellRepairCount',
    'Invoke-KeepwellAntivirusWork',
    'Invoke-KeepwellDefenderScan',
    'Start-KeepwellDefender',
    'Stop-KeepwellDefenderScan',
    'Test-KeepwellDefinitionFresh',
    'Update-KeepwellDefinition'
)
