# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# A piece of a chore's work on a Windows host: start it, see how it stands, forget it: as _jobs.py elsewhere.
#
# Work is a program in a folder of its own (folder.psm1) and a task of its own (task.psm1). All it has to say is in
# state.json, of which this knows: id, run_id, phase (ends with "ended"), outcome, code, text, started_at, ended_at,
# process and command ({pid, started}), boot, bounded, recorded. Everything else there belongs to the chore.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone: work that outlives its connection takes them along.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.answer
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.folder
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.rounds
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.task

function Assert-KeepwellField {
    <#
    .SYNOPSIS
    Refuse a request that lacks one of these.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Request,
        [Parameter(Mandatory = $true)] [string[]] $Name
    )
    $lacking = @($Name | Where-Object -FilterScript { $null -eq $Request[$_] -or ($Request[$_] -is [string] -and $Request[$_] -eq '') })
    if ($lacking.Count -gt 0) {
        Stop-KeepwellRequest -Code 'bad_request' -Text "The request lacks $($lacking -join ', ')."
    }
}

function Get-KeepwellProcessStart {
    <#
    .SYNOPSIS
    Return when a process began, in 100 ns since 1601; $null when there is none. Process 4 began with Windows.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [int] $Id)
    $process = Get-CimInstance -ClassName Win32_Process -Filter "ProcessId = $Id" -Property CreationDate -ErrorAction SilentlyContinue
    if ($null -eq $process -or $null -eq $process.CreationDate) {
        return $null
    }
    return $process.CreationDate.ToFileTimeUtc()
}

function Get-KeepwellBootMark {
    <#
    .SYNOPSIS
    Return what tells one start of Windows from the next: when its first process began.
    #>
    [CmdletBinding()]
    param()
    $started = Get-KeepwellProcessStart -Id 4
    if ($null -ne $started) {
        return $started
    }
    return (Get-CimInstance -ClassName Win32_OperatingSystem -Property LastBootUpTime).LastBootUpTime.ToFileTimeUtc()
}

function Test-KeepwellSameBoot {
    <#
    .SYNOPSIS
    Return $true while Windows has not been started again: marks that differ by less than a minute are one.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [AllowNull()] $Mark)
    return $null -ne $Mark -and [System.Math]::Abs([int64](Get-KeepwellBootMark) - [int64]$Mark) -lt 600000000
}

function Test-KeepwellAlive {
    <#
    .SYNOPSIS
    Return $true while the process {pid, started} lives; a number that was given anew is another process.
    #>
    [CmdletBinding()]
    param([Parameter()] [AllowNull()] $Process)
    if ($null -eq $Process) {
        return $false
    }
    return (Get-KeepwellProcessStart -Id ([int]$Process.pid)) -eq [int64]$Process.started
}

function Get-KeepwellProgram {
    <#
    .SYNOPSIS
    Return the program that does a chore's work: all functions of this session that are Keepwell's, and one call.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Folder,
        [Parameter(Mandatory = $true)] [string] $Work
    )
    # Without the type data an array that a cmdlet returned whole is written as an object with its length.
    $lines = @(
        "`$global:ErrorActionPreference = 'Stop'",
        "`$global:ProgressPreference = 'SilentlyContinue'",
        "Remove-TypeData -TypeName System.Array -ErrorAction SilentlyContinue"
    )
    foreach ($known in @(Get-Command -Name '*-Keepwell*' -CommandType Function -ListImported | Sort-Object -Property Name)) {
        $lines += "function global:$($known.Name) {"
        $lines += $known.Definition
        $lines += '}'
    }
    $lines += "Invoke-KeepwellWork -Folder '$($Folder.Replace("'", "''"))' -Work '$Work'"
    return ($lines -join "`r`n") + "`r`n"
}

function Start-KeepwellWork {
    <#
    .SYNOPSIS
    Start the work of a request, or attach to it when it was started already.
    .DESCRIPTION
    Request has id, run_id, client, host and limits (see Get-KeepwellWorkTaskXml), and whatever the work reads of it. Own
    is what the chore has in state.json from the start. Work is the name of the function that does it: it gets -Request
    and -Save (a script block that takes a hashtable of fields of state.json) and returns @{ outcome; code; text }, with
    more fields of state.json where it likes. Returns @{ id; unit; started; attached; text }, and code when it was not
    started.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Chore,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Request,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Own,
        [Parameter(Mandatory = $true)] [string] $Work
    )
    $id = [string]$Request['id']
    $answer = @{ id = $id; unit = (Get-KeepwellWorkTaskName -Chore $Chore -Id $id); started = $false; attached = $false; text = '' }
    $gate = Open-KeepwellGate
    try {
        if ($null -ne (Read-KeepwellDocument -Folder (Get-KeepwellWorkFolder -Chore $Chore -Id $id) -Name 'state.json')) {
            $answer.attached = $true
            $answer.text = 'it was started before'
            return $answer
        }
        $other = Get-KeepwellRunningWork
        if ($other) {
            $answer.code = 'host_locked'
            $answer.text = "Keepwell is at work on this host already: $other."
            return $answer
        }
        $folder = New-KeepwellWorkFolder -Chore $Chore -Id $id
        try {
            $state = @{
                id = $id; run_id = $Request['run_id']; client = $Request['client']; host = $Request['host']
                chore = $Chore; phase = 'waiting'; outcome = $null; code = ''; text = ''; bounded = ''; recorded = $false
                process = $null; command = $null; ended_at = $null; started_at = (Get-KeepwellNow)
                boot = (Get-KeepwellBootMark)
            }
            foreach ($name in @($Own.Keys)) {
                $state[$name] = $Own[$name]
            }
            Write-KeepwellDocument -Folder $folder -Name 'request.json' -Document $Request
            Write-KeepwellDocument -Folder $folder -Name 'state.json' -Document $state
            Write-KeepwellFile -Folder $folder -Name 'program.ps1' -Text (Get-KeepwellProgram -Folder $folder -Work $Work)
            Start-KeepwellWorkTask -Chore $Chore -Id $id -Program (Join-Path -Path $folder -ChildPath 'program.ps1') -Limits $Request['limits']
        }
        catch {
            $code = $_.Exception.Data['keepwell_code']
            [System.IO.Directory]::Delete($folder, $true)
            $answer.code = if ($code) { [string]$code } else { 'no_folder' }
            $answer.text = if ($code) { $_.Exception.Message } else { "The work cannot be written down: $($_.Exception.Message)" }
            return $answer
        }
        $answer.started = $true
        return $answer
    }
    finally {
        $gate.Dispose()
    }
}

function Get-KeepwellWorkState {
    <#
    .SYNOPSIS
    Return state.json of a piece of work; refuse when the host knows none.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Chore,
        [Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $Id
    )
    $state = Read-KeepwellDocument -Folder (Get-KeepwellWorkFolder -Chore $Chore -Id $Id) -Name 'state.json'
    if ($null -eq $state) {
        Stop-KeepwellRequest -Code 'unknown_work' -Text "This host knows no work $Id."
    }
    return $state
}

function Test-KeepwellWorkAlive {
    <#
    .SYNOPSIS
    Return $true while its task, its program or the command that it started lives.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Chore,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $State
    )
    if (-not (Test-KeepwellSameBoot -Mark $State.boot)) {
        return $false
    }
    if ($null -eq $State.process -and [System.Math]::Abs((Get-KeepwellNow) - $State.started_at) -lt 60) {
        return $true
    }
    if ((Test-KeepwellAlive -Process $State.process) -or (Test-KeepwellAlive -Process $State.command)) {
        return $true
    }
    $task = Get-KeepwellWorkTask -Chore $Chore -Id $State.id
    return $null -ne $task -and @('running', 'queued') -contains $task.active_state
}

function Get-KeepwellRunningWork {
    <#
    .SYNOPSIS
    Return which work of any chore has not ended, in words; '' when none has.
    .DESCRIPTION
    The lock alone does not tell: it goes with the program that holds it, and what the program started may go on. A round
    of updates has none.
    #>
    [CmdletBinding()]
    param()
    $place = Get-KeepwellWorkHome
    if (-not [System.IO.Directory]::Exists($place)) {
        return Get-KeepwellRunningRound
    }
    foreach ($path in ([System.IO.Directory]::GetDirectories($place) | Sort-Object)) {
        $chore = Split-Path -Path $path -Leaf
        foreach ($id in @(Get-KeepwellWorkId -Chore $chore)) {
            $state = Read-KeepwellDocument -Folder (Get-KeepwellWorkFolder -Chore $chore -Id $id) -Name 'state.json'
            if ($null -ne $state -and $state.phase -ne 'ended' -and (Test-KeepwellWorkAlive -Chore $chore -State $state)) {
                return "$($chore.Replace('_', ' ')) $id of run $($state.run_id)"
            }
        }
    }
    return Get-KeepwellRunningRound
}

function Get-KeepwellBusy {
    <#
    .SYNOPSIS
    Return who is at work on this host for Keepwell, in words: the lock's holder, or work that lost it; '' for nobody.
    #>
    [CmdletBinding()]
    param()
    $holder = Get-KeepwellHolder
    if ($holder) {
        return $holder
    }
    return Get-KeepwellRunningWork
}

function Get-KeepwellWorkStatus {
    <#
    .SYNOPSIS
    Return the state of a piece of work, with alive, unit and log_tail.
    .DESCRIPTION
    One whose program is gone before its end is judged now: Interrupted gets the state and how it ended in words, and
    returns what to put into the state: outcome, text, and what the chore found. Hidden names what is not told.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Chore,
        [Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $Id,
        [Parameter(Mandatory = $true)] [scriptblock] $Interrupted,
        [Parameter()] [string[]] $Hidden = @()
    )
    $state = Get-KeepwellWorkState -Chore $Chore -Id $Id
    $folder = Get-KeepwellWorkFolder -Chore $Chore -Id $Id
    $alive = $state.phase -ne 'ended' -and (Test-KeepwellWorkAlive -Chore $Chore -State $state)
    $task = Get-KeepwellWorkTask -Chore $Chore -Id $Id
    if ($state.phase -ne 'ended' -and -not $alive) {
        # It may have ended between the two looks.
        $state = Get-KeepwellWorkState -Chore $Chore -Id $Id
        if ($state.phase -ne 'ended') {
            $rebooted = -not (Test-KeepwellSameBoot -Mark $state.boot)
            $how = if ($rebooted) { 'The host was rebooted' } else { 'The program was ended' }
            if ($null -ne $task -and $task.result -ne 'success' -and -not $rebooted) {
                $how += " ($($task.result))"
            }
            $state.code = if ($rebooted) { 'rebooted' } else { 'interrupted' }
            $found = & $Interrupted $state $how
            foreach ($name in @($found.Keys)) {
                $state[$name] = $found[$name]
            }
            $state.phase = 'ended'
            $state.ended_at = Get-KeepwellNow
            $state.command = $null
            Write-KeepwellDocument -Folder $folder -Name 'state.json' -Document $state
            Remove-KeepwellWorkTask -Chore $Chore -Id $Id
        }
    }
    foreach ($name in $Hidden) {
        $null = $state.Remove($name)
    }
    $state.alive = $alive
    $state.unit = $task
    $state.log_tail = Get-KeepwellLogTail -Folder $folder
    return $state
}

function Get-KeepwellUnfinishedWork {
    <#
    .SYNOPSIS
    Return work that goes on, or whose end is in nobody's evidence yet, oldest first: these fields of its state, and alive.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Chore,
        [Parameter(Mandatory = $true)] [string[]] $Field
    )
    $found = @()
    foreach ($id in @(Get-KeepwellWorkId -Chore $Chore)) {
        $state = Read-KeepwellDocument -Folder (Get-KeepwellWorkFolder -Chore $Chore -Id $id) -Name 'state.json'
        if ($null -eq $state -or $state.recorded) {
            continue
        }
        $entry = @{ alive = ($state.phase -ne 'ended' -and (Test-KeepwellWorkAlive -Chore $Chore -State $state)) }
        foreach ($name in $Field) {
            $entry[$name] = $state[$name]
        }
        $found += $entry
    }
    return , $found
}

function Set-KeepwellWorkRecorded {
    <#
    .SYNOPSIS
    Note that the end of a piece of work is in evidence, so that no later run takes it up; and of Also.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Chore,
        [Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $Id,
        [Parameter()] [string[]] $Also = @()
    )
    if ((Get-KeepwellWorkState -Chore $Chore -Id $Id).phase -ne 'ended') {
        Stop-KeepwellRequest -Code 'not_ended' -Text "Work $Id has not ended yet."
    }
    foreach ($name in @($Id) + $Also) {
        $folder = Get-KeepwellWorkFolder -Chore $Chore -Id $name
        $state = Read-KeepwellDocument -Folder $folder -Name 'state.json'
        if ($null -ne $state -and $state.phase -eq 'ended') {
            $state.recorded = $true
            Write-KeepwellDocument -Folder $folder -Name 'state.json' -Document $state
            Remove-KeepwellWorkTask -Chore $Chore -Id $name
        }
    }
    return @{ recorded = $true }
}

function Remove-KeepwellOldWork {
    <#
    .SYNOPSIS
    Remove work that ended longer ago than that and is in evidence, but none of Spared: @{ removed; kept }.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Chore,
        [Parameter(Mandatory = $true)] [double] $KeepDays,
        [Parameter()] [AllowNull()] $Now = $null,
        [Parameter()] [string[]] $Spared = @()
    )
    $moment = if ($null -eq $Now) { Get-KeepwellNow } else { [double]$Now }
    $oldest = $moment - $KeepDays * 86400
    $removed = @()
    $kept = @()
    foreach ($id in @(Get-KeepwellWorkId -Chore $Chore)) {
        $folder = Get-KeepwellWorkFolder -Chore $Chore -Id $id
        $state = Read-KeepwellDocument -Folder $folder -Name 'state.json'
        if ($null -ne $state -and $state.recorded -and $Spared -notcontains $id -and $null -ne $state.ended_at -and $state.ended_at -lt $oldest) {
            [System.IO.Directory]::Delete($folder, $true)
            $removed += $id
        }
        else {
            $kept += $id
        }
    }
    return @{ removed = $removed; kept = $kept }
}

Export-ModuleMember -Function '*-Keepwell*'
