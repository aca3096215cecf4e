# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# How full are the volumes, and is what carries them in order? Read here, understood in plugin_utils/windows_hosts.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone, no variables of the module: the runner carries the
# definitions of functions into the runspaces of the probes.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.records

function Get-KeepwellDisksFacts {
    <#
    .SYNOPSIS
    Return the raw facts of disks: lists of records by what they are of, $null where a list cannot be read.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Parameters
    )
    $storage = 'root/Microsoft/Windows/Storage'
    return @{
        volumes = Get-KeepwellDisksVolume -Machine $Machine
        bitlocker = Get-KeepwellDisksBitLocker -Machine $Machine
        deduplication = Get-KeepwellRecord -Machine $Machine -Class 'MSFT_DedupVolume' -Namespace 'root/Microsoft/Windows/Deduplication' -Source 'deduplication' -Property 'VolumeId', 'Enabled', 'SavedSpace'
        disks = Get-KeepwellRecord -Machine $Machine -Class 'MSFT_Disk' -Namespace $storage -Source 'disks' -Property 'Number', 'FriendlyName', 'BusType', 'Size', 'IsReadOnly', 'IsOffline'
        partitions = Get-KeepwellRecord -Machine $Machine -Class 'MSFT_Partition' -Namespace $storage -Source 'partitions' -Property 'DiskNumber', 'IsReadOnly', 'AccessPaths'
        page_files = Get-KeepwellRecord -Machine $Machine -Class 'Win32_PageFileUsage' -Source 'page files' -Property 'Name', 'AllocatedBaseSize', 'CurrentUsage'
        shadow_storage = Get-KeepwellRecord -Machine $Machine -Class 'Win32_ShadowStorage' -Source 'shadow storage' -Property 'Volume.DeviceID', 'DiffVolume.DeviceID', 'UsedSpace', 'AllocatedSpace', 'MaxSpace'
        shadow_copies = Get-KeepwellRecord -Machine $Machine -Class 'Win32_ShadowCopy' -Source 'shadow copies' -Property 'VolumeName', 'InstallDate'
        storage_pools = Get-KeepwellRecord -Machine $Machine -Class 'MSFT_StoragePool' -Namespace $storage -Source 'storage pools' -Property 'FriendlyName', 'UniqueId', 'IsPrimordial', 'HealthStatus', 'OperationalStatus', 'IsReadOnly', 'Size', 'AllocatedSize'
        virtual_disks = Get-KeepwellDisksVirtual -Machine $Machine
    }
}

function Get-KeepwellDisksVolume {
    <#
    .SYNOPSIS
    Return a record for each volume; without a list of them the probe ends.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    # Fixed disks (3) and disks in memory (6): removable media and CDs come and go.
    $volumes = Get-KeepwellRecord -Machine $Machine -Class 'Win32_Volume' -Filter 'DriveType = 3 OR DriveType = 6' -Source 'volumes' -Property @(
        'DeviceID', 'Name', 'DriveType', 'FileSystem', 'Label', 'Capacity', 'FreeSpace', 'DirtyBitSet', 'BootVolume',
        'SystemVolume', 'Compressed'
    )
    if ($null -eq $volumes) {
        $told = $Machine.sources['volumes']
        Stop-KeepwellProbe -Status $told.status -Detail "the volumes could not be read: $($told.detail)"
    }
    return , $volumes
}

function Get-KeepwellDisksBitLocker {
    <#
    .SYNOPSIS
    Return a record for each volume that BitLocker could protect; $null where BitLocker is not installed.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $volumes = @(Get-KeepwellInstance -Machine $Machine -Class 'Win32_EncryptableVolume' -Namespace 'root/CIMV2/Security/MicrosoftVolumeEncryption' -Source 'bitlocker')
    if ($Machine.sources['bitlocker'].status -ne 'ok') {
        return $null
    }
    $found = @()
    foreach ($volume in $volumes) {
        $record = ConvertTo-KeepwellRecord -InputObject $volume -Property 'DeviceID', 'ProtectionStatus'
        $lock = Read-KeepwellSource -Machine $Machine -Source 'bitlocker state' -Read {
            Invoke-CimMethod -InputObject $volume -MethodName 'GetLockStatus' -OperationTimeoutSec (Get-KeepwellCallTime -Machine $Machine)
        }
        $conversion = Read-KeepwellSource -Machine $Machine -Source 'bitlocker state' -Read {
            Invoke-CimMethod -InputObject $volume -MethodName 'GetConversionStatus' -OperationTimeoutSec (Get-KeepwellCallTime -Machine $Machine)
        }
        $record.LockStatus = if ($lock) { $lock.LockStatus } else { $null }
        $record.EncryptionPercentage = if ($conversion) { $conversion.EncryptionPercentage } else { $null }
        $found += $record
    }
    return , $found
}

function Get-KeepwellDisksVirtual {
    <#
    .SYNOPSIS
    Return a record for each virtual disk of Storage Spaces, with the name of its pool; $null: cannot be read.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $disks = @(Get-KeepwellInstance -Machine $Machine -Class 'MSFT_VirtualDisk' -Namespace 'root/Microsoft/Windows/Storage' -Source 'virtual disks')
    if ($Machine.sources['virtual disks'].status -ne 'ok') {
        return $null
    }
    $found = @()
    foreach ($disk in $disks) {
        $record = ConvertTo-KeepwellRecord -InputObject $disk -Property @(
            'FriendlyName', 'UniqueId', 'HealthStatus', 'OperationalStatus', 'ResiliencySettingName',
            'ProvisioningType', 'Size', 'FootprintOnPool', 'DetachedReason'
        )
        $pools = @(Read-KeepwellList -Machine $Machine -Source 'pools of virtual disks' -Read {
            Get-CimAssociatedInstance -InputObject $disk -ResultClassName 'MSFT_StoragePool' -OperationTimeoutSec (Get-KeepwellCallTime -Machine $Machine)
        })
        $record.Pool = if ($pools.Count -gt 0 -and $pools[0]) { [string]$pools[0].FriendlyName } else { $null }
        $found += $record
    }
    return , $found
}

Export-ModuleMember -Function '*'
