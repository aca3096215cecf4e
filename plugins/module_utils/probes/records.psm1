# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# CIM objects as plain values, under the names that Windows gives them: what they mean is decided on the control node.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone, no variables of the module: the runner carries the
# definitions of functions into the runspaces of the probes.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine

function ConvertTo-KeepwellRecord {
    <#
    .SYNOPSIS
    Return a hashtable with these properties of an object: numbers, texts, lists of them, times as epoch seconds.
    .DESCRIPTION
    A dot goes into an object that a property holds (Volume.DeviceID) and stays in the name. What is not there is $null.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [object] $InputObject,
        [Parameter(Mandatory = $true)] [string[]] $Property
    )
    $record = @{}
    foreach ($name in $Property) {
        $value = $InputObject
        foreach ($part in $name.Split('.')) {
            # Not as the value of an if: that would make one value of a list of one.
            if ($null -ne $value) { $value = $value.$part }
        }
        if ($value -is [System.DateTime]) {
            $record[$name] = ConvertTo-KeepwellEpoch -Moment $value
        }
        elseif ($value -is [System.Array]) {
            $record[$name] = @($value)
        }
        elseif ($value -is [System.Enum]) {
            $record[$name] = [int]$value
        }
        else {
            $record[$name] = $value
        }
    }
    return $record
}

function Get-KeepwellRecord {
    <#
    .SYNOPSIS
    Return the instances of a CIM class as a list of records; $null when they cannot be read, which is then noted.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [Parameter(Mandatory = $true)] [string] $Class,
        [Parameter(Mandatory = $true)] [string[]] $Property,
        [string] $Namespace = 'root/cimv2',
        [string] $Filter = '',
        [string] $Source = ''
    )
    $name = if ($Source) { $Source } else { $Class }
    $found = @(Get-KeepwellInstance -Machine $Machine -Class $Class -Namespace $Namespace -Filter $Filter -Source $name)
    if ($Machine.sources[$name].status -ne 'ok') {
        return $null
    }
    $records = @($found | ForEach-Object -Process { ConvertTo-KeepwellRecord -InputObject $_ -Property $Property })
    return , $records
}

function Get-KeepwellTaskRecord {
    <#
    .SYNOPSIS
    Return the scheduled tasks whose action matches a pattern, as a list of records; $null when they cannot be read.
    .DESCRIPTION
    Of what a task starts, which may hold a password, only the words that match are kept (Words). Times are epoch
    seconds, State is the number that CIM has: 1 disabled, 2 queued, 3 ready, 4 running.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [Parameter(Mandatory = $true)] [string] $Pattern,
        [string] $NamePattern = '^$'
    )
    $tasks = @(Get-KeepwellInstance -Machine $Machine -Class 'MSFT_ScheduledTask' -Namespace 'root/Microsoft/Windows/TaskScheduler' -Source 'scheduled tasks')
    if ($Machine.sources['scheduled tasks'].status -ne 'ok') {
        return $null
    }
    $found = @()
    foreach ($task in $tasks) {
        $line = @($task.Actions | ForEach-Object -Process { "$($_.Execute) $($_.Arguments)" }) -join ' '
        $words = @([regex]::Matches($line, $Pattern, 'IgnoreCase') | ForEach-Object -Process { $_.Value.ToLowerInvariant() } | Sort-Object -Unique)
        if ($words.Count -eq 0 -and $task.TaskName -notmatch $NamePattern) { continue }
        $last = Read-KeepwellSource -Machine $Machine -Source 'results of tasks' -Read {
            Get-ScheduledTaskInfo -TaskName $task.TaskName -TaskPath $task.TaskPath
        }
        $found += @{
            TaskPath = [string]$task.TaskPath
            TaskName = [string]$task.TaskName
            State = [int]$task.State
            Words = $words
            LastRunTime = if ($last) { ConvertTo-KeepwellEpoch -Moment $last.LastRunTime } else { $null }
            NextRunTime = if ($last) { ConvertTo-KeepwellEpoch -Moment $last.NextRunTime } else { $null }
            LastTaskResult = if ($last) { [long]$last.LastTaskResult } else { $null }
            NumberOfMissedRuns = if ($last) { [int]$last.NumberOfMissedRuns } else { $null }
        }
    }
    return , $found
}

Export-ModuleMember -Function '*'
