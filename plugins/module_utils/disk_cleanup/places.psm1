# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The only folders in which anything is ever deleted: as _bases.py elsewhere. Compiled in: no variable and no request adds
# one. Never in or above one of them: Windows\Installer, WinSxS, Config.Msi, Prefetch, page files, databases, mail, backups.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone: work that outlives its connection takes them along.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.answer
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine

function Get-KeepwellPlace {
    <#
    .SYNOPSIS
    Return the allowed folders by name; temporary folders of users and recycle bins are several.
    #>
    [CmdletBinding()]
    param()
    $windows = [System.Environment]::GetFolderPath('Windows')
    $drive = [System.IO.Path]::GetPathRoot($windows)
    $reports = Join-Path -Path ([System.Environment]::GetFolderPath('CommonApplicationData')) -ChildPath 'Microsoft\Windows\WER'
    return @{
        windows_temp = @("$windows\Temp")
        user_temp = @(Get-KeepwellProfile | ForEach-Object -Process { "$_\AppData\Local\Temp" })
        servicing_logs = @("$windows\Logs\CBS")
        web_server_logs = @("${drive}inetpub\logs\LogFiles")
        minidumps = @("$windows\Minidump")
        live_dumps = @("$windows\LiveKernelReports")
        error_reports = @("$reports\ReportArchive", "$reports\ReportQueue")
        update_cache = @("$windows\SoftwareDistribution\Download")
        recycle_bins = @(Get-KeepwellDrive | ForEach-Object -Process { "$_\`$Recycle.Bin" })
    }
}

function Get-KeepwellMemoryDump {
    <#
    .SYNOPSIS
    Return the one file that may go outside of these folders: the memory of the last crash.
    #>
    [CmdletBinding()]
    param()
    return Join-Path -Path ([System.Environment]::GetFolderPath('Windows')) -ChildPath 'MEMORY.DMP'
}

function Get-KeepwellDrive {
    <#
    .SYNOPSIS
    Return the letters of local disks, as C: and D:.
    #>
    [CmdletBinding()]
    param()
    foreach ($volume in @(Get-CimInstance -ClassName Win32_Volume -Filter 'DriveType = 3' -Property DriveLetter -ErrorAction Stop)) {
        if ($volume.DriveLetter) {
            [string]$volume.DriveLetter
        }
    }
}

function Get-KeepwellProfile {
    <#
    .SYNOPSIS
    Return the folders of users' profiles; none that Windows is about to remove, and none that lies on a server.
    #>
    [CmdletBinding()]
    param()
    $machine = New-KeepwellMachine -LimitS 60
    $list = 'SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList'
    foreach ($sid in @(Get-KeepwellRegistryKey -Machine $machine -Key $list | Sort-Object)) {
        # A name that ends in .bak is what Windows puts away when it could not load a profile.
        if ($sid -notmatch '^S-1-5-21-[\d-]+$|^S-1-12-1-[\d-]+$') {
            continue
        }
        $values = Get-KeepwellRegistryValue -Machine $machine -Key "$list\$sid"
        # 0x20: to be deleted; 0x800: temporary.
        if ($null -eq $values -or ([int]$values['State'] -band 0x820)) {
            continue
        }
        $path = [System.Environment]::ExpandEnvironmentVariables([string]$values['ProfileImagePath'])
        if ($path -match '^[A-Za-z]:\\.') {
            $path.TrimEnd('\')
        }
    }
}

function Assert-KeepwellPlace {
    <#
    .SYNOPSIS
    Refuse what is not, and does not lie below, one of the allowed folders, or names anything but a plain path.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Path)
    $parts = $Path.Substring([System.Math]::Min(3, $Path.Length)).Split('\')
    $odd = @($parts | Where-Object -FilterScript { $_ -eq '' -or $_ -eq '.' -or $_ -eq '..' -or $_.Contains('/') })
    if ($Path -match '^[A-Za-z]:\\.' -and $odd.Count -eq 0) {
        $places = Get-KeepwellPlace
        foreach ($name in @($places.Keys)) {
            foreach ($base in $places[$name]) {
                if ($Path -eq $base -or $Path.StartsWith("$base\", [System.StringComparison]::OrdinalIgnoreCase)) {
                    return
                }
            }
        }
    }
    Stop-KeepwellRequest -Code 'not_allowed' -Text "'$Path' is in no folder in which Keepwell deletes anything."
}

function Get-KeepwellPending {
    <#
    .SYNOPSIS
    Return the paths that Windows moves or deletes when it starts next: they are somebody's unfinished work.
    #>
    [CmdletBinding()]
    param()
    $machine = New-KeepwellMachine -LimitS 60
    $values = Get-KeepwellRegistryValue -Machine $machine -Key 'SYSTEM\CurrentControlSet\Control\Session Manager'
    if ($null -eq $values) {
        return
    }
    foreach ($line in @($values['PendingFileRenameOperations'])) {
        $path = ([string]$line).TrimStart('!')
        if ($path.StartsWith('\??\')) {
            $path.Substring(4)
        }
    }
}

Export-ModuleMember -Function '*-Keepwell*'
