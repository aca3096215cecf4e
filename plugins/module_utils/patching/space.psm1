# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine

# How much room there is for updates.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone, no variables of the module.

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

Export-ModuleMember -Function Get-KeepwellSystemSpace
