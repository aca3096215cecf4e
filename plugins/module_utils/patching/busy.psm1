# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine

# Who installs something on the host just now, and how much room there is.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone, no variables of the module.

function Get-KeepwellInstaller {
    <#
    .SYNOPSIS
    Return @{ process; pid } of everything that installs just now: servicing, and Windows Installer.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $filter = "Name = 'TiWorker.exe'"
    foreach ($process in @(Get-KeepwellInstance -Machine $Machine -Class Win32_Process -Filter $filter -Source 'servicing')) {
        if ($null -ne $process) {
            @{ process = [string]$process.Name; pid = [int]$process.ProcessId }
        }
    }
    $held = Read-KeepwellSource -Machine $Machine -Source 'Windows Installer' -Read {
        $found = $null
        $open = [System.Threading.Mutex]::TryOpenExisting('Global\_MSIExecute', [ref]$found)
        if ($open) { $found.Dispose() }
        $open
    }
    if ($held) {
        @{ process = 'Windows Installer'; pid = $null }
    }
}

function Test-KeepwellUpdateHelper {
    <#
    .SYNOPSIS
    Return $true while a helper of ansible.windows.win_updates lives, which it does as long as its pipe.
    .DESCRIPTION
    It goes on when the connection is lost, and then keeps its last word for somebody who fetches it: until the next
    boot, when nobody does. So this alone is no proof that something is installed.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $pipes = Read-KeepwellSource -Machine $Machine -Source 'win_updates' -Read {
        [System.IO.Directory]::GetFiles('\\.\pipe\', 'Ansible.Windows.WinUpdates-*')
    }
    return @($pipes | Where-Object -FilterScript { $_ }).Count -gt 0
}

function Get-KeepwellSystemSpace {
    <#
    .SYNOPSIS
    Return @{ mount; roles; free_bytes; free_inodes_percent } of the volume that Windows is on, $null when unreadable.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $letter = [string]$env:SystemDrive
    $filter = "DeviceID = '$letter'"
    $disk = @(Get-KeepwellInstance -Machine $Machine -Class Win32_LogicalDisk -Filter $filter) | Select-Object -First 1
    if ($null -eq $disk) {
        return $null
    }
    return @{ mount = "$letter\"; roles = @('system'); free_bytes = [long]$disk.FreeSpace; free_inodes_percent = $null }
}

Export-ModuleMember -Function Get-KeepwellInstaller, Get-KeepwellSystemSpace, Test-KeepwellUpdateHelper
