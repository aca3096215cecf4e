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
    Return @{ boot_id; pid1_started; kernel; uptime_s; booted }: the moment of the boot, and the build that runs.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Request
    )
    $null = $Request
    $system = Get-CimInstance -ClassName Win32_OperatingSystem -Property LastBootUpTime, LocalDateTime -ErrorAction Stop
    $build = Get-ItemProperty -LiteralPath 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion' -ErrorAction Stop
    return @{
        boot_id = [string]$system.LastBootUpTime.ToFileTimeUtc()
        pid1_started = ''
        kernel = '10.0.{0}.{1}' -f $build.CurrentBuildNumber, $build.UBR
        uptime_s = [System.Math]::Round(($system.LocalDateTime - $system.LastBootUpTime).TotalSeconds, 1)
        # win_reboot has waited for the sign-in screen; what Windows configures before that is not counted as up.
        booted = -not (Test-Path -LiteralPath (
                'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootInProgress'
            ))
    }
}

Export-ModuleMember -Function Get-KeepwellBootState
