# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# What backs up a host, when it last ran and how that ended. Read here, understood in plugin_utils/windows_hosts.
#
# No repository is opened, no configuration is read, no password is asked for. The states of VSS writers are not asked
# for: Windows tells them only in its own language; what VSS complained about is in the event log.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone, no variables of the module: the runner carries the
# definitions of functions into the runspaces of the probes.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.records

function Get-KeepwellBackupsFacts {
    <#
    .SYNOPSIS
    Return the raw facts of backups.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Parameters
    )
    $tools = 'restic|borgmatic|borg|kopia|resticprofile|autorestic|duplicati|rclone|wbadmin|start-wbbackup|veeamconfig'
    $dumps = 'pg_dumpall|pg_dump|pg_basebackup|mysqldump|mariadb-dump|mariabackup|xtrabackup|mongodump|sqlcmd|backup-sqldatabase|backup-dbadatabase'
    $vss = @(Get-KeepwellEvent -Machine $Machine -Log 'Application' -Provider 'VSS' -Id 8193, 8194, 12289, 12293, 12298, 12305, 12310, 12347 -SinceS 604800 -Cap 200 -Source 'vss events')
    $server = Get-KeepwellBackupsServer -Machine $Machine
    $veeam = @(Get-KeepwellBackupsVeeam -Machine $Machine)
    return @{
        programs = @(Get-KeepwellBackupsProgram -Machine $Machine)
        services = Get-KeepwellRecord -Machine $Machine -Class 'Win32_Service' -Source 'services' -Property 'Name', 'State', 'StartMode'
        tasks = Get-KeepwellTaskRecord -Machine $Machine -Pattern "(?<![\w-])($tools|$dumps)(?![\w-])" -NamePattern 'backup|sicherung'
        processes = Get-KeepwellRecord -Machine $Machine -Class 'Win32_Process' -Source 'processes' -Property 'Name'
        wsb = $server
        # Nothing is said of a feature that is not there; one that may not be asked is another matter.
        wsb_asked = @('ok', 'absent') -contains $Machine.sources['windows server backup'].status
        # Of Windows Server Backup; they are there without the feature, too, where wbadmin is used.
        wsb_events = @(Get-KeepwellEvent -Machine $Machine -Log 'Microsoft-Windows-Backup' -Cap 40 -Source 'backup events')
        vss_events = if ($Machine.sources['vss events'].status -eq 'ok') { , $vss } else { $null }
        veeam = if ($Machine.sources['veeam logs'].status -eq 'ok') { , $veeam } else { $null }
    }
}

function Get-KeepwellBackupsProgram {
    <#
    .SYNOPSIS
    Return the backup tools on the path: name, path, version (of the file; many have none).
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    foreach ($name in @('restic', 'borg', 'kopia', 'resticprofile', 'autorestic', 'duplicati-cli')) {
        $found = @(Read-KeepwellList -Machine $Machine -Source "program $name" -Read {
            Get-Command -Name "$name.exe" -CommandType Application
        })
        if ($found.Count -gt 0 -and $found[0]) {
            $version = [string][System.Diagnostics.FileVersionInfo]::GetVersionInfo($found[0].Path).ProductVersion
            @{ name = $name; path = [string]$found[0].Path; version = $version }
        }
    }
}

function Get-KeepwellBackupsServer {
    <#
    .SYNOPSIS
    Return what Windows Server Backup says of its last job and its policy; $null where the feature is not installed.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $summary = Read-KeepwellSource -Machine $Machine -Source 'windows server backup' -Read { Get-WBSummary }
    if ($Machine.sources['windows server backup'].status -ne 'ok' -or $null -eq $summary) {
        return $null
    }
    $record = ConvertTo-KeepwellRecord -InputObject $summary -Property @(
        'NextBackupTime', 'NumberOfVersions', 'LastSuccessfulBackupTime', 'LastSuccessfulBackupTargetPath',
        'LastBackupTime', 'LastBackupResultHR', 'LastBackupResultDetailedHR'
    )
    $record.CurrentOperationStatus = [string]$summary.CurrentOperationStatus
    $record.Policy = $null
    $policy = Read-KeepwellSource -Machine $Machine -Source 'backup policy' -Read { Get-WBPolicy }
    if ($null -ne $policy) {
        $record.Policy = @{
            SystemState = Read-KeepwellSource -Machine $Machine -Source 'backup policy' -Read { [bool](Get-WBSystemState -Policy $policy) }
            BareMetal = Read-KeepwellSource -Machine $Machine -Source 'backup policy' -Read { [bool](Get-WBBareMetalRecovery -Policy $policy) }
            Volumes = @(Read-KeepwellList -Machine $Machine -Source 'backup policy' -Read { Get-WBVolume -Policy $policy } | Where-Object -FilterScript { $_ } | ForEach-Object -Process { [string]$_.MountPath })
        }
    }
    return $record
}

function Get-KeepwellBackupsVeeam {
    <#
    .SYNOPSIS
    Return the last ended session in each job log of Veeam Agent: job, at, status (Success, Warning, Failed).
    .DESCRIPTION
    The log is English in every language of Windows. Its times are local and written dd.MM.yyyy.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $folder = Join-Path -Path $env:ProgramData -ChildPath 'Veeam\Endpoint'
    Read-KeepwellList -Machine $Machine -Source 'veeam logs' -Read {
        $files = @()
        if (Test-Path -LiteralPath $folder) {
            # Newest first: an old log of a job that is gone comes last.
            $files = @(Get-ChildItem -LiteralPath $folder -Filter 'Job.*.Backup.log' -File -Recurse -Depth 2 | Sort-Object -Property LastWriteTimeUtc -Descending | Select-Object -First 10)
        }
        foreach ($file in $files) {
            $line = @(Get-Content -LiteralPath $file.FullName -Tail 2000 | Where-Object -FilterScript { $_ -match "Job session '.*' has been completed, status: '" })[-1]
            $match = [regex]::Match([string]$line, "^\[(\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d).*Job session '.*?' has been completed, status: '(\w+)'")
            $at = $null
            if ($match.Success) {
                $moment = [System.DateTime]::ParseExact($match.Groups[1].Value, 'dd.MM.yyyy HH:mm:ss', [System.Globalization.CultureInfo]::InvariantCulture)
                $at = ConvertTo-KeepwellEpoch -Moment $moment
            }
            @{
                job = $file.Name.Substring(4, $file.Name.Length - 15)
                at = $at
                status = if ($match.Success) { $match.Groups[2].Value } else { $null }
                written = ConvertTo-KeepwellEpoch -Moment $file.LastWriteTimeUtc
            }
        }
    }
}

Export-ModuleMember -Function '*'
