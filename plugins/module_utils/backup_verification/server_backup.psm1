# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Windows Server Backup: what its catalogue, its list of jobs and its schedule say, and single files out of a version.
#
# The one command that restores is written out here in full, but for the version, the names of files of one folder and
# the folder that they go into. Nothing else can be said to wbadmin.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone: work that outlives its connection takes them along.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.work

function Get-KeepwellServerBackup {
    <#
    .SYNOPSIS
    {status, detail, tool, facts} of Windows Server Backup on this host; facts are read by the control node.
    .DESCRIPTION
    summary, jobs, sets (versions), policy, running, free_bytes. Times are epoch seconds, results HRESULTs as numbers.
    #>
    [CmdletBinding()]
    param()
    $answer = @{ status = 'ok'; detail = ''; tool = @{ name = 'Windows Server Backup'; version = $null; path = $null }; facts = $null }
    if ($null -eq (Get-Command -Name 'Get-WBSummary' -ErrorAction SilentlyContinue)) {
        $answer.status = 'absent'
        $answer.detail = 'The feature Windows Server Backup is not installed on this host.'
        return $answer
    }
    $facts = @{ summary = $null; jobs = @(); sets = @(); policy = $null; running = $false; free_bytes = $null }
    try {
        $summary = Get-WBSummary -ErrorAction Stop
        $facts.summary = @{
            last_at = ConvertTo-KeepwellEpoch -Moment $summary.LastBackupTime
            last_hr = if ($null -eq $summary.LastBackupResultHR) { $null } else { [int64]$summary.LastBackupResultHR }
            last_detailed_hr = [int64]$summary.LastBackupResultDetailedHR
            last_success_at = ConvertTo-KeepwellEpoch -Moment $summary.LastSuccessfulBackupTime
            next_at = ConvertTo-KeepwellEpoch -Moment $summary.NextBackupTime
            versions = [int]$summary.NumberOfVersions
        }
        $facts.sets = @(Get-KeepwellServerBackupVersion)
    }
    catch {
        $failure = Get-KeepwellFailure -ErrorRecord $_
        $answer.status = if ($failure.status -eq 'denied') { 'denied' } else { 'error' }
        $answer.detail = "Windows Server Backup answered $($failure.code)."
        return $answer
    }
    $facts.jobs = @(Get-KeepwellServerBackupJob)
    $facts.policy = Get-KeepwellServerBackupPolicy
    try {
        $facts.running = [string](Get-WBJob -ErrorAction Stop).JobState -eq 'Running'
    }
    catch {
        # Without a job at work there is nothing to get.
        $facts.running = $false
    }
    $newest = $facts.sets | Sort-Object -Property { $_.at } | Select-Object -Last 1
    if ($newest -and [string]$newest.target.path -match '^[A-Za-z]:') {
        $volume = Get-CimInstance -ClassName Win32_LogicalDisk -Filter "DeviceID='$($Matches[0])'" -ErrorAction SilentlyContinue
        if ($volume) {
            $facts.free_bytes = [int64]$volume.FreeSpace
        }
    }
    $answer.facts = $facts
    return $answer
}

function Get-KeepwellServerBackupVersion {
    <#
    .SYNOPSIS
    The versions that the catalogue of this host knows.
    #>
    [CmdletBinding()]
    param()
    foreach ($set in @(Get-WBBackupSet -ErrorAction Stop)) {
        $target = $set.BackupTarget
        $path = @([string]$target.Path, [string]$target.TargetPath, [string]$target.WBVolume.MountPath, [string]$target) |
            Where-Object -FilterScript { $_ -match '^([A-Za-z]:|\\\\)' } |
            Select-Object -First 1
        @{
            id = [string]$set.VersionId
            at = ConvertTo-KeepwellEpoch -Moment $set.BackupTime
            target = @{ type = [string]$target.TargetType; path = [string]$path; label = [string]$target.Label }
            volumes = @(@($set.Volume) | ForEach-Object -Process { [string]$_.MountPath } | Where-Object -FilterScript { $_ })
            applications = @(@($set.Application) | ForEach-Object -Process { [string]$_.Identifier } | Where-Object -FilterScript { $_ })
        }
    }
}

function Get-KeepwellServerBackupJob {
    <#
    .SYNOPSIS
    The newest backups that were run, however they ended.
    #>
    [CmdletBinding()]
    param()
    try {
        $jobs = @(Get-WBJob -Previous 50 -ErrorAction Stop)
    }
    catch {
        # It says so by an error that none was ever run.
        return
    }
    foreach ($job in $jobs) {
        if ([string]$job.JobType -ne 'Backup') {
            continue
        }
        $read = 0
        foreach ($item in @($job.JobItems)) {
            $read += [int64]$item.TotalBytes
        }
        @{
            version_id = [string]$job.VersionId
            started_at = ConvertTo-KeepwellEpoch -Moment $job.StartTime
            ended_at = ConvertTo-KeepwellEpoch -Moment $job.EndTime
            hr = [int64]$job.HResult
            detailed_hr = [int64]$job.DetailedHResult
            bytes = if ($read -gt 0) { $read } else { $null }
        }
    }
}

function Get-KeepwellServerBackupPolicy {
    <#
    .SYNOPSIS
    What the schedule saves: volumes, files and what of them is left out; $null without a schedule.
    #>
    [CmdletBinding()]
    param()
    try {
        $policy = Get-WBPolicy -ErrorAction Stop
    }
    catch {
        return $null
    }
    if ($null -eq $policy) {
        return $null
    }
    $spelled = { "$([string]$_.FilePath)$([string]$_.FileName)".TrimEnd('*').TrimEnd('\') }
    return @{
        volumes = @(@($policy.VolumesToBackup) | ForEach-Object -Process { [string]$_.MountPath } | Where-Object -FilterScript { $_ })
        files = @(@($policy.FilesSpecsToBackup) | Where-Object -FilterScript { $_ } | ForEach-Object -Process $spelled)
        excludes = @(@($policy.FilesSpecsToExclude) | Where-Object -FilterScript { $_ } | ForEach-Object -Process $spelled)
        system_state = [bool]$policy.SystemState
        bare_metal = [bool]$policy.BMR
    }
}

function Restore-KeepwellServerBackupFile {
    <#
    .SYNOPSIS
    Restore files of one folder of a version into an empty folder of our own; wbadmin's own code, 0 for well, $null when
    it did not end in its time.
    .DESCRIPTION
    What wbadmin says is in the language of the host: it goes to the log of the work (Folder) and is read by nobody. The
    recovery itself is done by the service of the backup: a wbadmin that takes too long is left to its end.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [ValidatePattern('^\d\d/\d\d/\d{4}-\d\d:\d\d$')] [string] $Version,
        [Parameter(Mandatory = $true)] [ValidatePattern('^[A-Za-z]:\\')] [string] $Parent,
        [Parameter(Mandatory = $true)] [string[]] $Name,
        [Parameter(Mandatory = $true)] [ValidatePattern('^[A-Za-z]:\\')] [string] $Target,
        [Parameter(Mandatory = $true)] [string] $Folder,
        [Parameter(Mandatory = $true)] [double] $LimitS,
        [Parameter(Mandatory = $true)] [scriptblock] $Save
    )
    $items = @($Name | ForEach-Object -Process { Join-Path -Path $Parent -ChildPath $_ })
    if (@($items | Where-Object -FilterScript { $_ -match '[,"]' }).Count -gt 0) {
        # Commas part the items of wbadmin, and nothing quotes them.
        return 87
    }
    $program = Join-Path -Path ([System.Environment]::SystemDirectory) -ChildPath 'wbadmin.exe'
    $argument = "start recovery -version:$Version -itemType:File `"-items:$($items -join ',')`" `"-recoveryTarget:$Target`" -overwrite:CreateCopy -notRestoreAcl -quiet"
    $ran = Invoke-KeepwellProgram -Path $program -Argument $argument -Folder $Folder -LimitS $LimitS -Save $Save
    return $ran.rc
}

Export-ModuleMember -Function @(
    'Get-KeepwellServerBackup',
    'Get-KeepwellServerBackupJob',
    'Get-KeepwellServerBackupPolicy',
    'Get-KeepwellServerBackupVersion',
    'Restore-KeepwellServerBackupFile'
)
