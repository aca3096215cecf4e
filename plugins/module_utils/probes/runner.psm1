# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Run probes side by side, each in a runspace of its own with its own time: the document of _runner.py.
#
# A probe is @{ collect = name of a function; limit_s = seconds }. The function has two parameters, Machine (see
# machine.psm1) and Parameters, and returns a hashtable: the probe's data.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone, no variables of the module: work that outlives its
# connection takes along the definitions of functions.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine

function Get-KeepwellObservation {
    <#
    .SYNOPSIS
    Run these probes (name -> probe) and return the observation document.
    .DESCRIPTION
    Parameters maps names of probes to the settings that the plan gives them. What exceeds its time is left alone: a
    call that hangs in Windows itself cannot be ended from here, and ends with the process of this connection.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Probes,
        [System.Collections.IDictionary] $Parameters = @{},
        [double] $BudgetS = 45.0
    )
    $collectedAt = ConvertTo-KeepwellEpoch -Moment ([System.DateTime]::UtcNow)
    $clock = [System.Diagnostics.Stopwatch]::StartNew()
    $state = New-KeepwellSessionState
    $running = @{}
    foreach ($name in @($Probes.Keys | Sort-Object)) {
        $settings = if ($Parameters[$name]) { $Parameters[$name] } else { @{} }
        $limit = [System.Math]::Min([double]$Probes[$name].limit_s, $BudgetS)
        $running[$name] = Start-KeepwellProbe -State $state -Collect $Probes[$name].collect -Parameters $settings -LimitS $limit
    }
    $records = @{}
    while ($running.Count -gt 0) {
        foreach ($name in @($running.Keys)) {
            $probe = $running[$name]
            if ($probe.handle.IsCompleted -or $probe.clock.Elapsed.TotalSeconds -ge $probe.limit_s) {
                $records[$name] = Complete-KeepwellProbe -Probe $probe
                $running.Remove($name)
            }
        }
        if ($running.Count -gt 0) {
            Start-Sleep -Milliseconds 20
        }
    }
    return @{
        schema_version = '1.0'
        # When this process was started for the connection or the question: the control node compares clocks by it.
        began_at = ConvertTo-KeepwellEpoch -Moment ([System.Diagnostics.Process]::GetCurrentProcess().StartTime)
        collected_at = $collectedAt
        duration_s = [System.Math]::Round($clock.Elapsed.TotalSeconds, 3)
        privileged = Test-KeepwellAdministrator
        powershell = [string]$PSVersionTable.PSVersion
        probes = $records
    }
}

function Select-KeepwellProbe {
    <#
    .SYNOPSIS
    Return the probes that a subset names, as select() of _registry.py does: all, a name to add, !name to leave out.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Probes,
        [AllowEmptyCollection()] [string[]] $Subset = @()
    )
    $words = if ($Subset.Count -gt 0) { $Subset } else { @('all') }
    $chosen = @()
    $removed = @()
    foreach ($word in $words) {
        $name = $word.TrimStart('!')
        if ($name -ne 'all' -and -not $Probes.Contains($name)) {
            throw "subset: unknown probe '$name'. Known: $(@($Probes.Keys | Sort-Object) -join ', ')."
        }
        $names = if ($name -eq 'all') { @($Probes.Keys) } else { @($name) }
        if ($word.StartsWith('!')) { $removed += $names } else { $chosen += $names }
    }
    if ($removed.Count -gt 0 -and $chosen.Count -eq 0) {
        $chosen = @($Probes.Keys)
    }
    $selected = @{}
    foreach ($name in $chosen) {
        if ($removed -notcontains $name) {
            $selected[$name] = $Probes[$name]
        }
    }
    return $selected
}

function New-KeepwellSessionState {
    <#
    .SYNOPSIS
    Return the state that every probe's runspace begins with: all functions of Keepwell, and errors that end a call.
    #>
    [CmdletBinding()]
    param()
    $state = [System.Management.Automation.Runspaces.InitialSessionState]::CreateDefault2()
    # -ListImported: without it every module on the host is searched for these names.
    foreach ($known in @(Get-Command -Name '*-Keepwell*' -CommandType Function -ListImported)) {
        $entry = New-Object -TypeName System.Management.Automation.Runspaces.SessionStateFunctionEntry -ArgumentList $known.Name, $known.Definition
        $state.Commands.Add($entry)
    }
    $preferences = @{
        ErrorActionPreference = 'Stop'
        ProgressPreference = 'SilentlyContinue'
        WarningPreference = 'SilentlyContinue'
    }
    foreach ($name in $preferences.Keys) {
        $entry = New-Object -TypeName System.Management.Automation.Runspaces.SessionStateVariableEntry -ArgumentList $name, $preferences[$name], ''
        $state.Variables.Add($entry)
    }
    return $state
}

function Start-KeepwellProbe {
    <#
    .SYNOPSIS
    Start a probe in a runspace of its own and return what Complete-KeepwellProbe needs.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [object] $State,
        [Parameter(Mandatory = $true)] [string] $Collect,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Parameters,
        [Parameter(Mandatory = $true)] [double] $LimitS
    )
    $runspace = [System.Management.Automation.Runspaces.RunspaceFactory]::CreateRunspace($State)
    $runspace.Open()
    $shell = [System.Management.Automation.PowerShell]::Create()
    $shell.Runspace = $runspace
    $null = $shell.AddCommand('Invoke-KeepwellProbe')
    # Half a second before the runner gives up, so that a probe can still say what it has.
    $null = $shell.AddParameter('Collect', $Collect).AddParameter('Parameters', $Parameters)
    $null = $shell.AddParameter('LimitS', [System.Math]::Max(0.1, $LimitS - 0.5))
    return @{
        shell = $shell
        runspace = $runspace
        handle = $shell.BeginInvoke()
        limit_s = $LimitS
        clock = [System.Diagnostics.Stopwatch]::StartNew()
        started = ConvertTo-KeepwellEpoch -Moment ([System.DateTime]::UtcNow)
    }
}

function Complete-KeepwellProbe {
    <#
    .SYNOPSIS
    Return the record of a probe that ended, or whose time is over.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Probe
    )
    $record = $null
    if ($Probe.handle.IsCompleted) {
        try {
            $answer = @($Probe.shell.EndInvoke($Probe.handle))
            $record = if ($answer.Count -gt 0) { $answer[-1].PSObject.BaseObject } else { $null }
        }
        catch {
            $record = @{ status = 'error'; detail = (Get-KeepwellFailure -ErrorRecord $_).detail }
        }
        $Probe.shell.Dispose()
        $Probe.runspace.Dispose()
        if ($record -isnot [System.Collections.IDictionary]) {
            $record = @{ status = 'error'; detail = 'the probe ended without an answer' }
        }
    }
    else {
        # Not waited for, and not disposed of: both would hang with it.
        $null = $Probe.shell.BeginStop($null, $null)
        $limit = $Probe.limit_s.ToString('0.0', [System.Globalization.CultureInfo]::InvariantCulture)
        $record = @{ status = 'timeout'; detail = "stopped after $limit s" }
    }
    $defaults = @{
        collected_at = $Probe.started
        data = @{}
        duration_s = [System.Math]::Round($Probe.clock.Elapsed.TotalSeconds, 3)
        sources = @{}
        truncated = $false
    }
    foreach ($key in $defaults.Keys) {
        if (-not $record.Contains($key)) {
            $record[$key] = $defaults[$key]
        }
    }
    return $record
}

function Invoke-KeepwellProbe {
    <#
    .SYNOPSIS
    Call one probe and return its record, whatever happens inside it. Runs in the runspace of the probe.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Collect,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Parameters,
        [Parameter(Mandatory = $true)] [double] $LimitS
    )
    $clock = [System.Diagnostics.Stopwatch]::StartNew()
    $machine = New-KeepwellMachine -LimitS $LimitS
    $record = @{ status = 'ok'; collected_at = (ConvertTo-KeepwellEpoch -Moment ([System.DateTime]::UtcNow)); data = @{} }
    try {
        $found = @(& $Collect -Machine $machine -Parameters $Parameters)
        if ($found.Count -ne 1 -or $found[0] -isnot [System.Collections.IDictionary]) {
            Stop-KeepwellProbe -Status 'error' -Detail "$Collect returned $($found.Count) values instead of one document"
        }
        # What a probe may send, as in _runner.py; a document that is no JSON fails here, and not with all others.
        $size = (ConvertTo-Json -InputObject $found[0] -Depth 20 -Compress).Length
        if ($size -gt 1048576) {
            Stop-KeepwellProbe -Status 'error' -Detail 'more than 1048576 bytes of data'
        }
        $record.data = $found[0]
    }
    catch {
        $status = $_.Exception.Data['keepwell_status']
        if ($status) {
            $record.status = [string]$status
            $record.detail = Get-KeepwellLine -Text $_.Exception.Message
        }
        else {
            $failure = Get-KeepwellFailure -ErrorRecord $_
            # Absent is a word for what a source says of itself, not for a mistake in a probe.
            $record.status = if ($failure.status -eq 'denied') { 'denied' } else { 'error' }
            $record.detail = $failure.detail
            $record.trace = [string]$_.ScriptStackTrace
        }
    }
    $record.duration_s = [System.Math]::Round($clock.Elapsed.TotalSeconds, 3)
    $record.sources = $machine.sources
    $record.truncated = $machine.truncated
    return $record
}

function Invoke-KeepwellApart {
    <#
    .SYNOPSIS
    Return what a function of Keepwell returns, called in a runspace of its own; $null when it takes too long.
    .DESCRIPTION
    For a call that may hang and must not take the rest of its probe with it: SpareS seconds are left to that. The source
    is then noted as timeout.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [Parameter(Mandatory = $true)] [string] $Source,
        [Parameter(Mandatory = $true)] [string] $Function,
        [double] $SpareS = 1.0
    )
    $runspace = [System.Management.Automation.Runspaces.RunspaceFactory]::CreateRunspace((New-KeepwellSessionState))
    $runspace.Open()
    $shell = [System.Management.Automation.PowerShell]::Create()
    $shell.Runspace = $runspace
    $null = $shell.AddCommand($Function)
    $handle = $shell.BeginInvoke()
    $limit = [System.Math]::Max(1.0, (Get-KeepwellTimeLeft -Machine $Machine) - $SpareS)
    if (-not $handle.AsyncWaitHandle.WaitOne([int]($limit * 1000))) {
        $null = $shell.BeginStop($null, $null)
        Add-KeepwellNote -Machine $Machine -Source $Source -Status 'timeout' -Detail "no answer within $([int]$limit) s"
        return $null
    }
    $found = Read-KeepwellSource -Machine $Machine -Source $Source -Read { $shell.EndInvoke($handle) }
    $shell.Dispose()
    $runspace.Dispose()
    if ($null -eq $found) {
        return $null
    }
    return @($found)[-1].PSObject.BaseObject
}

Export-ModuleMember -Function '*'
