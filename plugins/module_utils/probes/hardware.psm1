# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Does the hardware report damage: disks, memory, and the events of Windows about both? Read here, understood in
# plugin_utils/windows_hosts. Disks are asked through Windows, whoever made their controller.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone, no variables of the module: the runner carries the
# definitions of functions into the runspaces of the probes.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.records

function Get-KeepwellHardwareFacts {
    <#
    .SYNOPSIS
    Return the raw facts of hardware: disks with their counters, memory arrays, events of the last seven days.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Parameters
    )
    $events = Get-KeepwellHardwareEvent -Machine $Machine
    return @{
        physical_disks = Get-KeepwellHardwareDisk -Machine $Machine
        # What the disk's own SMART announces, by the name of its device; only some drivers have it.
        predictions = Get-KeepwellRecord -Machine $Machine -Class 'MSStorageDriver_FailurePredictStatus' -Namespace 'root/wmi' -Source 'failure prediction' -Property 'InstanceName', 'PredictFailure', 'Reason'
        drives = Get-KeepwellRecord -Machine $Machine -Class 'Win32_DiskDrive' -Source 'drives' -Property 'Index', 'PNPDeviceID'
        memory_arrays = Get-KeepwellRecord -Machine $Machine -Class 'Win32_PhysicalMemoryArray' -Source 'memory arrays' -Property 'Use', 'MemoryErrorCorrection'
        events = $events
        events_cap = 300
        events_since_s = 604800
    }
}

function Get-KeepwellHardwareDisk {
    <#
    .SYNOPSIS
    Return a record for each physical disk with its reliability counters (Counters, $null: it keeps none).
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $disks = @(Get-KeepwellInstance -Machine $Machine -Class 'MSFT_PhysicalDisk' -Namespace 'root/Microsoft/Windows/Storage' -Source 'physical disks')
    if ($Machine.sources['physical disks'].status -ne 'ok') {
        return $null
    }
    $found = @()
    foreach ($disk in $disks) {
        $record = ConvertTo-KeepwellRecord -InputObject $disk -Property @(
            'DeviceId', 'FriendlyName', 'Model', 'BusType', 'MediaType', 'Size', 'HealthStatus', 'OperationalStatus'
        )
        $counters = @(Read-KeepwellList -Machine $Machine -Source 'reliability counters' -Read {
            Get-CimAssociatedInstance -InputObject $disk -ResultClassName 'MSFT_StorageReliabilityCounter' -OperationTimeoutSec (Get-KeepwellCallTime -Machine $Machine)
        })
        $record.Counters = $null
        if ($counters.Count -gt 0 -and $counters[0]) {
            $record.Counters = ConvertTo-KeepwellRecord -InputObject $counters[0] -Property @(
                'Temperature', 'TemperatureMax', 'Wear', 'ReadErrorsTotal', 'ReadErrorsUncorrected',
                'WriteErrorsTotal', 'WriteErrorsUncorrected', 'PowerOnHours'
            )
        }
        $found += $record
    }
    return , $found
}

function Get-KeepwellHardwareEvent {
    <#
    .SYNOPSIS
    Return the events about hardware of the last seven days, newest first by provider; $null when the log is closed.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $wanted = @(
        @('disk', @(7, 11, 51, 52, 153, 154, 157)),
        @('Ntfs', @(55, 98, 140)),
        @('Microsoft-Windows-Ntfs', @(55, 98, 140)),
        @('Microsoft-Windows-ReFS', @(133, 134, 135)),
        @('volsnap', @(25, 36)),
        @('storahci', @(129)),
        @('stornvme', @(11, 129)),
        @('LSI_SAS', @(11, 129)),
        @('iaStorA', @(9, 11, 129)),
        @('iaStorAC', @(9, 11, 129)),
        @('Microsoft-Windows-WHEA-Logger', @(1, 17, 18, 19, 20, 46, 47)),
        @('Microsoft-Windows-WER-SystemErrorReporting', @(1001)),
        @('Microsoft-Windows-Resource-Exhaustion-Detector', @(2004)),
        @('Tcpip', @(4231))
    )
    $found = @()
    foreach ($pair in $wanted) {
        $found += @(Get-KeepwellEvent -Machine $Machine -Log 'System' -Provider $pair[0] -Id $pair[1] -SinceS 604800 -Cap 300 -Source 'system log')
    }
    if ($Machine.sources['system log'].status -ne 'ok') {
        return $null
    }
    return , $found
}

Export-ModuleMember -Function '*'
