# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Start a chore's work on a Windows host so that it outlives the connection, and see whether it lives: as _unit.py
# elsewhere. It is a task of the Task Scheduler, below \Keepwell\, for SYSTEM, without a trigger and with limits.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone: work that outlives its connection takes them along.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.answer

function Get-KeepwellWorkTaskName {
    <#
    .SYNOPSIS
    Return the name of the task of a piece of work.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Chore,
        [Parameter(Mandatory = $true)] [string] $Id
    )
    return 'keepwell-{0}-{1}' -f $Chore.Replace('_', '-'), $Id
}

function Get-KeepwellWorkSecond {
    <#
    .SYNOPSIS
    Return how many seconds the program of a piece of work may run at most.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Limits)
    return [int]$Limits.runtime_s + [int]$Limits.lock_timeout_s + 120
}

function Get-KeepwellWorkTaskXml {
    <#
    .SYNOPSIS
    Return the definition of a task that runs a program as SYSTEM within limits.
    .DESCRIPTION
    Limits: runtime_s, nice (above 9: below normal, the background's share of the disk), and where wanted
    lock_timeout_s, which is added to the runtime. Schema: Task Scheduler 1.3.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Title,
        [Parameter(Mandatory = $true)] [string] $Program,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Limits
    )
    $seconds = Get-KeepwellWorkSecond -Limits $Limits
    # 7 and 8 are below normal, 4 to 6 normal: with 7 and above Windows also serves the disk to others first.
    $priority = if ([int]$Limits.nice -gt 9) { 8 } else { 7 }
    $shell = Join-Path -Path ([System.Environment]::SystemDirectory) -ChildPath 'WindowsPowerShell\v1.0\powershell.exe'
    # Read as text: a policy for scripts that have to be signed is about files that users start.
    $command = "& ([scriptblock]::Create([System.IO.File]::ReadAllText('$($Program.Replace("'", "''"))')))"
    $escaped = [System.Security.SecurityElement]::Escape("-NoProfile -NonInteractive -ExecutionPolicy Bypass -Command `"$command`"")
    return @"
<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.3" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Author>Keepwell</Author>
    <Description>$([System.Security.SecurityElement]::Escape($Title))</Description>
  </RegistrationInfo>
  <Principals>
    <Principal id="Author">
      <UserId>S-1-5-18</UserId>
      <RunLevel>HighestAvailable</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <AllowHardTerminate>true</AllowHardTerminate>
    <AllowStartOnDemand>true</AllowStartOnDemand>
    <Enabled>true</Enabled>
    <ExecutionTimeLimit>PT${seconds}S</ExecutionTimeLimit>
    <Priority>$priority</Priority>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>$([System.Security.SecurityElement]::Escape($shell))</Command>
      <Arguments>$escaped</Arguments>
    </Exec>
  </Actions>
</Task>
"@
}

function Start-KeepwellWorkTask {
    <#
    .SYNOPSIS
    Register the task of a piece of work and start it; refuse when that fails.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Chore,
        [Parameter(Mandatory = $true)] [string] $Id,
        [Parameter(Mandatory = $true)] [string] $Program,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Limits
    )
    $name = Get-KeepwellWorkTaskName -Chore $Chore -Id $Id
    $xml = Get-KeepwellWorkTaskXml -Title "Keepwell: $($Chore.Replace('_', ' '))" -Program $Program -Limits $Limits
    try {
        $null = Register-ScheduledTask -TaskPath '\Keepwell\' -TaskName $name -Xml $xml -Force -ErrorAction Stop
        Start-ScheduledTask -TaskPath '\Keepwell\' -TaskName $name -ErrorAction Stop
    }
    catch {
        $said = ($_.Exception.Message -replace '\s+', ' ').Trim()
        Remove-KeepwellWorkTask -Chore $Chore -Id $Id
        Stop-KeepwellRequest -Code 'not_started' -Text "The Task Scheduler did not start the work: $said"
    }
}

function Get-KeepwellWorkTask {
    <#
    .SYNOPSIS
    Return @{ active_state; result } of the task: running, queued or ready, and its last result as hexadecimal digits;
    $null when there is no such task.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Chore,
        [Parameter(Mandatory = $true)] [string] $Id
    )
    $name = Get-KeepwellWorkTaskName -Chore $Chore -Id $Id
    try {
        $task = Get-ScheduledTask -TaskPath '\Keepwell\' -TaskName $name -ErrorAction Stop
        $about = Get-ScheduledTaskInfo -TaskPath '\Keepwell\' -TaskName $name -ErrorAction Stop
    }
    catch {
        return $null
    }
    $states = @{ 1 = 'disabled'; 2 = 'queued'; 3 = 'ready'; 4 = 'running' }
    $state = $states[[int]$task.State]
    # 0x41301: at work; 0x41303: not run yet; 0x41306: ended by its limit or by a person.
    $code = '{0:x}' -f [int64]$about.LastTaskResult
    $result = if (@('0', '41301', '41303') -contains $code) { 'success' } else { "0x$code" }
    return @{ active_state = [string]$state; result = $result }
}

function Remove-KeepwellWorkTask {
    <#
    .SYNOPSIS
    Let the Task Scheduler forget a task, once the end of its work is written down.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Chore,
        [Parameter(Mandatory = $true)] [string] $Id
    )
    $name = Get-KeepwellWorkTaskName -Chore $Chore -Id $Id
    Unregister-ScheduledTask -TaskPath '\Keepwell\' -TaskName $name -Confirm:$false -ErrorAction SilentlyContinue
}

function Get-KeepwellWorkBound {
    <#
    .SYNOPSIS
    Return by what the work is limited, read back from its task; or that it is not.
    .DESCRIPTION
    The time is kept by Start-KeepwellWatchdog: the Task Scheduler keeps none of a task that is started on demand.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Chore,
        [Parameter(Mandatory = $true)] [string] $Id
    )
    $name = Get-KeepwellWorkTaskName -Chore $Chore -Id $Id
    try {
        $settings = (Get-ScheduledTask -TaskPath '\Keepwell\' -TaskName $name -ErrorAction Stop).Settings
        return "by its own watchdog: at most $($settings.ExecutionTimeLimit); by the Task Scheduler: priority $($settings.Priority)"
    }
    catch {
        return "not bounded: the Task Scheduler does not confirm the limits of $name"
    }
}

Export-ModuleMember -Function '*-Keepwell*'
