# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# What the service manager knows: what should run and does not, what crashed, which scheduled tasks fail.
#
# Raw facts; plugins/plugin_utils/windows_hosts/services.py makes the document of services.py from them.
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine

function Get-KeepwellServicesFacts {
    <#
    .SYNOPSIS
    Return @{ services; watched; events; tasks; booted_at }; what could not be read is $null.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Parameters
    )
    $watched = @(ConvertTo-KeepwellText -Values $Parameters['watched'])
    $services = Get-KeepwellServiceState -Machine $Machine
    if ($null -eq $services) {
        $source = $Machine.sources['services']
        Stop-KeepwellProbe -Status ([string]$source.status) -Detail "the service manager gave no list: $($source.detail)"
    }
    $system = @(Get-KeepwellInstance -Machine $Machine -Class 'Win32_OperatingSystem' -Property 'LastBootUpTime' -Source 'boot')[0]
    return @{
        services = $services
        watched = $watched
        booted_at = if ($null -eq $system) { $null } else { ConvertTo-KeepwellEpoch -Moment $system.LastBootUpTime }
        # Crashes, failures to start, and services that do not answer, of the last day.
        events = Get-KeepwellServiceEvent -Machine $Machine
        tasks = Get-KeepwellTask -Machine $Machine
    }
}

function Get-KeepwellServiceState {
    <#
    .SYNOPSIS
    Return services by name: @{ state; start; exit; specific; display; delayed; trigger }; $null without a list.
    .DESCRIPTION
    Names narrows it to these, by their short names or those on display.
    state and start are words of Win32_Service, which are the same in every language. trigger is whether something else
    than the start of Windows starts it; it is looked up for automatic services that do not run.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [string[]] $Names = @()
    )
    # A quotation mark in a name would end the text of the query.
    $plain = @($Names | ForEach-Object -Process { $_ -replace "['\\]", '' })
    $filter = @($plain | ForEach-Object -Process { "Name='$_' OR DisplayName='$_'" }) -join ' OR '
    $found = @(Get-KeepwellInstance -Machine $Machine -Class 'Win32_Service' -Filter $filter -Property 'Name', 'DisplayName', 'State', 'StartMode', 'ExitCode', 'ServiceSpecificExitCode', 'ServiceType', 'ProcessId' -Source 'services')
    if ($Machine.sources['services'].status -ne 'ok') {
        return $null
    }
    $services = @{}
    foreach ($service in $found) {
        $name = [string]$service.Name
        $facts = @{
            state = [string]$service.State
            start = [string]$service.StartMode
            exit = [long]$service.ExitCode
            display = [string]$service.DisplayName
        }
        if ($facts.exit -eq 1066) {
            $facts.specific = [long]$service.ServiceSpecificExitCode
        }
        if ($facts.start -eq 'Auto' -and $facts.state -ne 'Running') {
            $key = "SYSTEM\CurrentControlSet\Services\$name"
            $values = Get-KeepwellRegistryValue -Machine $Machine -Key $key -Source 'service keys'
            $facts.delayed = [bool](Get-KeepwellValue -From $values -Name 'DelayedAutoStart')
            $facts.trigger = Test-KeepwellRegistryKey -Machine $Machine -Key "$key\TriggerInfo" -Source 'service keys'
            # Type 0x40 is the pattern of a service that every user gets one of, 0x80 one user's copy.
            $facts.kind = [int](Get-KeepwellValue -From $values -Name 'Type')
        }
        $services[$name] = $facts
    }
    return $services
}

function Get-KeepwellServiceEvent {
    <#
    .SYNOPSIS
    Return what the service manager wrote of services in the last day: @{ id; at; name; binary }; $null when unread.
    .DESCRIPTION
    7000 7009 7038 could not start, 7022 hung, 7023 7024 ended with an error, 7031 7034 ended unexpectedly. name is the
    name on display; binary holds the real one (UTF-16, in hexadecimal digits) where Windows gives it.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $found = @(Get-KeepwellEvent -Machine $Machine -Log 'System' -Provider 'Service Control Manager' -Id 7000, 7009, 7022, 7023, 7024, 7031, 7034, 7038 -SinceS 86400 -Cap 200 -Source 'service events')
    if ($Machine.sources['service events'].status -ne 'ok') {
        return $null
    }
    return , @($found | ForEach-Object -Process {
        @{ id = $_.id; at = $_.at; name = [string]$_.data['param1']; binary = [string]$_.data['Binary'] }
    })
}

function Get-KeepwellTask {
    <#
    .SYNOPSIS
    Return the scheduled tasks outside \Microsoft\, at most 200: @{ path; enabled; state; last; next; result; missed }.
    .DESCRIPTION
    What Windows itself schedules in \Microsoft\ has results of its own kind and is not looked at. state: 1 disabled,
    2 queued, 3 ready, 4 running. result is the last one as eight hexadecimal digits.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $found = @(Read-KeepwellList -Machine $Machine -Source 'tasks' -Read {
        $scheduler = New-Object -ComObject 'Schedule.Service'
        $scheduler.Connect()
        $folders = @($scheduler.GetFolder('\'))
        while ($folders.Count -gt 0) {
            $folder = $folders[0]
            $folders = @($folders | Select-Object -Skip 1)
            foreach ($task in $folder.GetTasks(1)) {
                @{
                    path = [string]$task.Path
                    enabled = [bool]$task.Enabled
                    state = [int]$task.State
                    last = ConvertTo-KeepwellEpoch -Moment $task.LastRunTime
                    next = ConvertTo-KeepwellEpoch -Moment $task.NextRunTime
                    result = '{0:X8}' -f [int]$task.LastTaskResult
                    missed = [int]$task.NumberOfMissedRuns
                }
            }
            foreach ($inner in $folder.GetFolders(0)) {
                if ($inner.Path -ne '\Microsoft') { $folders += $inner }
            }
        }
    })
    if ($Machine.sources['tasks'].status -ne 'ok') {
        return $null
    }
    if ($found.Count -gt 200) {
        $Machine.truncated = $true
    }
    return , @($found | Select-Object -First 200)
}

Export-ModuleMember -Function '*'
