# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Make a volume of a Windows host larger before it is full: plan, refuse, carry out, verify: as _grow.py elsewhere.
#
# Only into unallocated space right behind the partition, to an absolute size; nothing is ever made smaller or moved.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone: work that outlives its connection takes them along.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.answer
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup.account

function Get-KeepwellGrowth {
    <#
    .SYNOPSIS
    Return how a volume would be made larger, or why not.
    .DESCRIPTION
    Wanted: mount, add_bytes, step_percent, reserve_percent. Returns mount, kind, fstype, device, from_bytes, to_bytes,
    steps (lists of words), text, and refused: $null or {code, text}.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Wanted)
    $found = @{
        mount = [string]$Wanted.mount; kind = ''; fstype = ''; device = ''; from_bytes = 0; to_bytes = 0
        steps = @(); text = ''; refused = $null; disk = $null; partition = $null
    }
    try {
        $partition = Get-KeepwellPartition -Mount $found.mount
        $disk = Get-Disk -Number $partition.DiskNumber -ErrorAction Stop
        $volume = Get-Volume -Partition $partition -ErrorAction Stop
        $found.kind = 'partition'
        $found.fstype = [string]$volume.FileSystem
        $found.device = "disk $($partition.DiskNumber) partition $($partition.PartitionNumber)"
        $found.from_bytes = [int64]$partition.Size
        $found.disk = [int]$partition.DiskNumber
        $found.partition = [int]$partition.PartitionNumber
        Assert-KeepwellGrowable -Mount $found.mount -Partition $partition -Disk $disk -Volume $volume
        $found.to_bytes = Get-KeepwellGrownSize -Wanted $Wanted -Partition $partition -Disk $disk
        $found.steps = @(, @(
                'Resize-Partition', '-DiskNumber', "$($found.disk)", '-PartitionNumber', "$($found.partition)",
                '-Size', "$($found.to_bytes)"
            ))
        $more = ($found.to_bytes - $found.from_bytes) / 1048576
        $found.text = '{0}: {1:0} MiB more ({2})' -f $found.mount, $more, $found.device
    }
    catch {
        $code = $_.Exception.Data['keepwell_code']
        $said = if ($code) { $_.Exception.Message } else { "$($found.mount) cannot be looked at: $($_.Exception.Message -replace '\s+', ' ')" }
        $found.refused = @{ code = if ($code) { [string]$code } else { 'no_device' }; text = $said }
        $found.steps = @()
    }
    return $found
}

function Get-KeepwellPartition {
    <#
    .SYNOPSIS
    Return the partition of a mount point; refuse where there is none.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Mount)
    $path = $Mount.TrimEnd('\') + '\'
    $partition = @(Get-Partition -ErrorAction Stop | Where-Object -FilterScript { $_.AccessPaths -contains $path }) | Select-Object -First 1
    if ($null -eq $partition) {
        Stop-KeepwellRequest -Code 'no_filesystem' -Text "$Mount is on no partition of this host."
    }
    return $partition
}

function Assert-KeepwellGrowable {
    <#
    .SYNOPSIS
    Refuse a volume that something stands against; every number compared is one of Windows' own, never a word.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Mount,
        [Parameter(Mandatory = $true)] $Partition,
        [Parameter(Mandatory = $true)] $Disk,
        [Parameter(Mandatory = $true)] $Volume
    )
    $where = "disk $($Disk.Number)"
    if (@('NTFS', 'ReFS') -notcontains [string]$Volume.FileSystem) {
        Stop-KeepwellRequest -Code 'fstype' -Text "$Mount is $($Volume.FileSystem); Keepwell makes NTFS and ReFS larger."
    }
    if ($Disk.IsReadOnly -or $Disk.IsOffline -or $Partition.IsReadOnly) {
        Stop-KeepwellRequest -Code 'read_only' -Text "$Mount, or $where, is read-only or offline; find out why first."
    }
    if ($Disk.IsClustered) {
        Stop-KeepwellRequest -Code 'clustered' -Text "$where belongs to a cluster: make the volume larger there."
    }
    # Dynamic disks (LDM): their volumes are no partitions.
    if ([string]$Partition.GptType -eq '{af9b60a0-1431-4f62-bc68-3311714a69ad}' -or [int]$Partition.MbrType -eq 0x42) {
        Stop-KeepwellRequest -Code 'layer' -Text "$where is a dynamic disk; Keepwell makes basic ones larger."
    }
    if ([int]$Disk.HealthStatus -ne 0) {
        Stop-KeepwellRequest -Code 'device_errors' -Text "$where is not well by its own word (HealthStatus $([int]$Disk.HealthStatus))."
    }
    $path = $Mount.TrimEnd('\') + '\'
    $dirty = @(Get-CimInstance -ClassName Win32_Volume -Filter 'DriveType = 3' -ErrorAction Stop | Where-Object -FilterScript { $_.Name -eq $path })
    if ([int]$Volume.HealthStatus -ne 0 -or ($dirty.Count -gt 0 -and $dirty[0].DirtyBitSet)) {
        Stop-KeepwellRequest -Code 'fs_errors' -Text "$Mount is not well: its dirty bit is set, or Windows says so. Run chkdsk first."
    }
}

function Get-KeepwellGrownSize {
    <#
    .SYNOPSIS
    Return the size that a partition would have; refuse where there is no room right behind it.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Wanted,
        [Parameter(Mandatory = $true)] $Partition,
        [Parameter(Mandatory = $true)] $Disk
    )
    $mebi = 1048576
    $size = [int64]$Partition.Size
    $most = [int64](Get-PartitionSupportedSize -DiskNumber $Partition.DiskNumber -PartitionNumber $Partition.PartitionNumber -ErrorAction Stop).SizeMax
    # An MBR counts sectors with 32 bits.
    if ([int]$Disk.PartitionStyle -eq 1) {
        $end = [int64]4294967295 * [int64]$Disk.LogicalSectorSize - [int64]$Partition.Offset
        if ($end -lt $most) {
            $most = $end
            if ($most - $size -lt 16 * $mebi) {
                Stop-KeepwellRequest -Code 'mbr' -Text "Disk $($Disk.Number) has an MBR, which ends at 2 TiB."
            }
        }
    }
    if ($most - $size -lt 16 * $mebi) {
        $behind = @(Get-Partition -DiskNumber $Partition.DiskNumber -ErrorAction Stop | Where-Object -FilterScript { $_.Offset -gt $Partition.Offset } | Sort-Object -Property Offset) | Select-Object -First 1
        if ($null -eq $behind) {
            Stop-KeepwellRequest -Code 'no_room' -Text "Disk $($Disk.Number) has no free space behind $($Wanted.mount)."
        }
        $recovery = [string]$behind.GptType -eq '{de94bba4-06d1-4d40-a16a-bfd50179d6ac}' -or [int]$behind.MbrType -eq 0x27
        $what = if ($recovery) { 'the recovery partition (WinRE), which is never moved' } else { "partition $($behind.PartitionNumber)" }
        Stop-KeepwellRequest -Code 'not_last' -Text "Right behind $($Wanted.mount) lies $what."
    }
    $reserve = [int64]([int64]$Disk.Size * [double]$Wanted.reserve_percent / 100)
    $spare = $most - $size - $reserve
    $step = [System.Math]::Min([double]$Wanted.add_bytes, [double]$size * [double]$Wanted.step_percent / 100)
    $step = [int64][System.Math]::Floor([System.Math]::Min($step, [double]$spare) / $mebi) * $mebi
    if ($step -le 0) {
        $free = '{0:0}' -f (($most - $size) / $mebi)
        Stop-KeepwellRequest -Code 'no_room' -Text "Behind $($Wanted.mount) are $free MiB free, and $($Wanted.reserve_percent) % of the disk are kept in reserve."
    }
    return $size + $step
}

function Invoke-KeepwellGrowth {
    <#
    .SYNOPSIS
    Carry out a plan; return {mount, from_bytes, to_bytes, grown_bytes, text} by what the filesystem says then.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Plan)
    $before = (Get-KeepwellSpace -Mount $Plan.mount).size_bytes
    $wrong = ''
    try {
        Resize-Partition -DiskNumber $Plan.disk -PartitionNumber $Plan.partition -Size $Plan.to_bytes -ErrorAction Stop
    }
    catch {
        $wrong = ($_.Exception.Message -replace '\s+', ' ').Trim()
    }
    $after = (Get-KeepwellSpace -Mount $Plan.mount).size_bytes
    $grown = [System.Math]::Max([int64]0, $after - $before)
    $text = '{0} has grown by {1:0} MiB to {2:0} MiB' -f $Plan.mount, ($grown / 1048576), ($after / 1048576)
    if ($wrong) {
        $text = "$($Plan.mount): Resize-Partition ended with: $wrong. Nothing is made smaller again."
    }
    elseif ($grown -eq 0) {
        $text = "$($Plan.mount) is as large as before, although all went through."
    }
    return @{
        mount = $Plan.mount
        from_bytes = $before
        to_bytes = $after
        grown_bytes = if ($wrong) { 0 } else { $grown }
        text = $text
    }
}

Export-ModuleMember -Function '*-Keepwell*'
