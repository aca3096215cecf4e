# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# What is large on a volume of a Windows host, and whose it is: as _growers.py elsewhere.
#
# A walk over one volume that follows no link and crosses no mount, and ends when its time or its number of entries is used
# up (then it says so: partial). It reads names and lengths, no contents. WinSxS is left out: most of its files are the
# ones that lie elsewhere in Windows, under second names.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone, no variables of the module.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup.account
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup.file_tool

function Get-KeepwellGrower {
    <#
    .SYNOPSIS
    Return {mount, entries, bytes, partial, seconds, folders} for each of these volumes; folders largest first.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string[]] $Mount,
        [Parameter(Mandatory = $true)] [int64] $Entries,
        [Parameter(Mandatory = $true)] [double] $Seconds
    )
    Import-KeepwellFileTool
    $never = [string[]]@(Join-Path -Path ([System.Environment]::GetFolderPath('Windows')) -ChildPath 'WinSxS')
    $wanted = @($Mount | ForEach-Object -Process { @{ mount = $_; target_percent = $null } })
    foreach ($target in (Get-KeepwellTarget -Wanted $wanted).Values) {
        $clock = [System.Diagnostics.Stopwatch]::StartNew()
        $sums = [Keepwell.FileTool]::Grown($target.mount, 4, $Entries, $Seconds / $Mount.Count, $never)
        $root = $target.mount.TrimEnd('\')
        $whole = if ($sums.Folders.ContainsKey($root)) { $sums.Folders[$root].Bytes } else { [int64]0 }
        @{
            mount = $target.mount
            entries = $sums.Entries
            bytes = $whole
            partial = $sums.Partial
            folders = @(Select-KeepwellGrower -Sum @($sums.Folders.Values) -Root $root -Whole $whole)
            seconds = [System.Math]::Round($clock.Elapsed.TotalSeconds, 2)
        }
    }
}

function Select-KeepwellGrower {
    <#
    .SYNOPSIS
    Return the folders worth telling, the largest first: what is nearly all of the one above it stands for it.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [AllowEmptyCollection()] [object[]] $Sum,
        [Parameter(Mandatory = $true)] [string] $Root,
        [Parameter(Mandatory = $true)] [int64] $Whole
    )
    $large = @($Sum | Where-Object -FilterScript { $_.Bytes -ge $Whole * 0.002 })
    $sizes = @{}
    foreach ($each in $large) {
        $sizes[$each.Path] = $each.Bytes
    }
    $hidden = @{}
    foreach ($each in $large) {
        $above = if ($each.Path -eq $Root) { $Root } else { $each.Path.Substring(0, $each.Path.LastIndexOf('\')) }
        if ($above -ne $Root -and $each.Bytes -ge 0.95 * $sizes[$above]) {
            $hidden[$above] = $true
        }
    }
    $order = @{ Expression = { $_.Bytes }; Descending = $true }, @{ Expression = { $_.Path } }
    $told = 0
    foreach ($each in @($large | Sort-Object -Property $order)) {
        if ($hidden[$each.Path] -or $told -ge 60) {
            continue
        }
        $told += 1
        @{
            path = if ($each.Path -eq $Root -and $Root.Length -eq 2) { "$Root\" } else { $each.Path }
            bytes = $each.Bytes
            files = $each.Files
            user = if ($told -le 12) { Get-KeepwellOwner -Path "$($each.Path)\" } else { '' }
            package = ''
            unit = ''
        }
    }
}

function Get-KeepwellOwner {
    <#
    .SYNOPSIS
    Return who owns a folder, by name or else by SID; '' where that cannot be read.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Path)
    try {
        $sid = [System.IO.Directory]::GetAccessControl($Path).GetOwner([System.Security.Principal.SecurityIdentifier])
    }
    catch {
        return ''
    }
    try {
        return $sid.Translate([System.Security.Principal.NTAccount]).Value
    }
    catch {
        return $sid.Value
    }
}

Export-ModuleMember -Function '*-Keepwell*'
