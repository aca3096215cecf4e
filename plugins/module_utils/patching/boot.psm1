# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine

# Which boot of the host this is. The reboot itself is ansible.windows.win_reboot, called by the control node.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone, no variables of the module.

function Get-KeepwellBootState {
    <#
    .SYNOPSIS
    Return @{ boot_id; pid1_started; kernel; uptime_s; booted }: which boot it is, and the build that runs.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Request
    )
    $null = $Request
    $system = Get-CimInstance -ClassName Win32_OperatingSystem -Property LastBootUpTime, LocalDateTime -ErrorAction Stop
    $build = Get-ItemProperty -LiteralPath 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion' -ErrorAction Stop
    return @{
        boot_id = Get-KeepwellBootName
        pid1_started = ''
        kernel = '10.0.{0}.{1}' -f $build.CurrentBuildNumber, $build.UBR
        uptime_s = [System.Math]::Round(($system.LocalDateTime - $system.LastBootUpTime).TotalSeconds, 1)
        # win_reboot has waited for the sign-in screen; what Windows configures before that is not counted as up.
        booted = -not (Test-Path -LiteralPath (
                'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootInProgress'
            ))
    }
}

function Get-KeepwellBootName {
    <#
    .SYNOPSIS
    Return what is the same until the next boot, to the last digit: when the system's own process began.
    .DESCRIPTION
    LastBootUpTime is counted back from now, and moves with every correction of the clock: compared as it is, it tells of
    boots that never were. Where Windows does not say when that process began, the kernel's own word of its start counts.
    #>
    [CmdletBinding()]
    param()
    $first = Get-CimInstance -ClassName Win32_Process -Filter 'ProcessId = 4' -Property CreationDate -ErrorAction Stop
    if ($null -ne $first -and $null -ne $first.CreationDate) {
        return [string]$first.CreationDate.ToFileTimeUtc()
    }
    $machine = New-KeepwellMachine -LimitS 30
    $starts = @(Get-KeepwellEvent -Machine $machine -Log 'System' -Provider 'Microsoft-Windows-Kernel-General' -Id 12 -Cap 1 -Source 'boots')
    if ($starts.Count -eq 0) {
        throw 'Neither the system process nor the event log says when Windows was started.'
    }
    return "$($starts[0].data['StartTime'])/$($starts[0].record)"
}

Export-ModuleMember -Function Get-KeepwellBootName, Get-KeepwellBootState
