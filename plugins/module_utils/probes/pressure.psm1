# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# How short a host is of memory, CPU and disks, and who uses them. Read here, understood in plugin_utils/windows_hosts:
# two samples of Windows' own counters, two seconds apart, in their raw form.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone, no variables of the module: the runner carries the
# definitions of functions into the runspaces of the probes.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.records

function Get-KeepwellPressureFacts {
    <#
    .SYNOPSIS
    Return the raw facts of pressure: samples (two of them), memory, system, processes, services.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Parameters
    )
    $system = Get-KeepwellRecord -Machine $Machine -Class 'Win32_OperatingSystem' -Source 'system' -Property 'TotalVisibleMemorySize', 'FreePhysicalMemory', 'SizeStoredInPagingFiles', 'FreeSpaceInPagingFiles', 'TotalVirtualMemorySize', 'FreeVirtualMemory', 'LastBootUpTime', 'LocalDateTime'
    if ($null -eq $system) {
        $told = $Machine.sources['system']
        Stop-KeepwellProbe -Status $told.status -Detail "the system could not be read: $($told.detail)"
    }
    $before = Get-KeepwellPressureSample -Machine $Machine
    Start-Sleep -Seconds 2
    $after = Get-KeepwellPressureSample -Machine $Machine
    return @{
        system = $system
        processors = Get-KeepwellRecord -Machine $Machine -Class 'Win32_ComputerSystem' -Source 'computer' -Property 'NumberOfLogicalProcessors'
        samples = @($before, $after)
        boots = @(Get-KeepwellEvent -Machine $Machine -Log 'System' -Provider 'Microsoft-Windows-Kernel-General' -Id 12 -Cap 1 -Source 'boots')
        services = Get-KeepwellRecord -Machine $Machine -Class 'Win32_Service' -Filter "State = 'Running'" -Source 'services' -Property 'Name', 'ProcessId'
    }
}

function Get-KeepwellPressureSample {
    <#
    .SYNOPSIS
    Return one sample: raw counters with the clocks they count by, and the processor time of every process.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    return @{
        memory = Get-KeepwellRecord -Machine $Machine -Class 'Win32_PerfRawData_PerfOS_Memory' -Source 'memory counters' -Property 'AvailableBytes', 'CommittedBytes', 'CommitLimit', 'PagesInputPersec', 'PagesOutputPersec', 'PageReadsPersec', 'Timestamp_PerfTime', 'Frequency_PerfTime'
        processor = Get-KeepwellRecord -Machine $Machine -Class 'Win32_PerfRawData_PerfOS_Processor' -Filter "Name = '_Total'" -Source 'processor counters' -Property 'PercentProcessorTime', 'Timestamp_Sys100NS'
        queue = Get-KeepwellRecord -Machine $Machine -Class 'Win32_PerfRawData_PerfOS_System' -Source 'system counters' -Property 'ProcessorQueueLength', 'Processes', 'Threads'
        disks = Get-KeepwellRecord -Machine $Machine -Class 'Win32_PerfRawData_PerfDisk_PhysicalDisk' -Source 'disk counters' -Property 'Name', 'AvgDisksecPerTransfer', 'AvgDisksecPerTransfer_Base', 'CurrentDiskQueueLength', 'Frequency_PerfTime'
        processes = @(Read-KeepwellList -Machine $Machine -Source 'processes' -Read { Get-KeepwellPressureProcess })
        at = ConvertTo-KeepwellEpoch -Moment ([System.DateTime]::UtcNow)
    }
}

function Get-KeepwellPressureProcess {
    <#
    .SYNOPSIS
    Return pid, name, rss and the processor time of every process; cpu_s is $null where it may not be known.
    #>
    [CmdletBinding()]
    param()
    foreach ($process in [System.Diagnostics.Process]::GetProcesses()) {
        # Some processes of the system let nobody ask, not even an administrator.
        $cpu = try { [System.Math]::Round($process.TotalProcessorTime.TotalSeconds, 3) } catch { $null }
        @{ pid = [int]$process.Id; name = [string]$process.ProcessName; rss = [long]$process.WorkingSet64; cpu_s = $cpu }
        $process.Dispose()
    }
}

Export-ModuleMember -Function '*'
