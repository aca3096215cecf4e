# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The folder into which data is restored on a Windows host, and from which all of it goes again: always a new one below
# the base, for administrators and the system alone. It is named in the state of the work before it is made; only what is
# named there is ever removed, and links in it are removed, never followed.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone: work that outlives its connection takes them along.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.answer
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.folder
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup.file_tool

function Get-KeepwellSandboxBase {
    <#
    .SYNOPSIS
    The folder below which is restored: what was asked for, else Keepwell's own.
    #>
    [CmdletBinding()]
    param([Parameter()] [AllowNull()] [AllowEmptyString()] [string] $Asked)
    if ($Asked) {
        return $Asked.TrimEnd('\')
    }
    return Join-Path -Path (Get-KeepwellWorkHome) -ChildPath 'sandbox'
}

function Get-KeepwellSandboxRoom {
    <#
    .SYNOPSIS
    @{ base; free_bytes; total_bytes; code; refused }: how much room there is, and why nothing may be restored there.
    #>
    [CmdletBinding()]
    param([Parameter()] [AllowNull()] [AllowEmptyString()] [string] $Asked)
    $base = Get-KeepwellSandboxBase -Asked $Asked
    $room = @{ base = $base; free_bytes = $null; total_bytes = $null; code = ''; refused = '' }
    $drive = if ($base -match '^[A-Za-z]:(?=\\.)') { $Matches[0] } else { '' }
    if (-not $drive) {
        $room.code = 'unsafe_path'
        $room.refused = "The sandbox $base is no folder on a disk of this host. Choose another."
        return $room
    }
    $volume = Get-CimInstance -ClassName Win32_LogicalDisk -Filter "DeviceID='$drive'" -ErrorAction SilentlyContinue
    if ($volume) {
        $room.free_bytes = [int64]$volume.FreeSpace
        $room.total_bytes = [int64]$volume.Size
    }
    if (-not $volume -or $volume.DriveType -ne 3) {
        $room.code = 'unsafe_path'
        $room.refused = "The sandbox $base is not on a disk that is fixed in this host. Choose another folder."
        return $room
    }
    $against = Get-KeepwellSandboxFault -Path $base
    if ($against) {
        $room.code = 'unsafe_path'
        $room.refused = $against
    }
    return $room
}

function Get-KeepwellSandboxFault {
    <#
    .SYNOPSIS
    Why a folder is not safe: a link on its path, others who may write into it, own it, or move it away. '' when it is
    safe, or is not there yet.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Path)
    # The system, administrators, whoever makes or owns it, and Windows itself (TrustedInstaller).
    $own = @(
        'S-1-5-18', 'S-1-5-32-544', 'S-1-3-0', 'S-1-3-4',
        'S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464'
    )
    # Who may do this to a folder above can put another one in the place of ours.
    $moving = [System.Security.AccessControl.FileSystemRights]'DeleteSubdirectoriesAndFiles, ChangePermissions, TakeOwnership'
    $folder = $Path
    while ($folder) {
        if (Test-Path -LiteralPath $folder) {
            $entry = Get-Item -LiteralPath $folder -Force
            if ($entry.Attributes -band [System.IO.FileAttributes]::ReparsePoint) {
                return "$folder is a link. Choose a folder that is none."
            }
            $security = [System.IO.Directory]::GetAccessControl($folder)
            $owner = $security.GetOwner([System.Security.Principal.SecurityIdentifier]).Value
            if ($own -notcontains $owner) {
                return "$folder belongs to somebody else ($owner). Let Administrators own it, or choose another folder."
            }
            foreach ($rule in $security.GetAccessRules($true, $true, [System.Security.Principal.SecurityIdentifier])) {
                $here = -not ($rule.PropagationFlags -band [System.Security.AccessControl.PropagationFlags]::InheritOnly)
                if ($here -and $rule.AccessControlType -eq 'Allow' -and $own -notcontains $rule.IdentityReference.Value -and ($rule.FileSystemRights -band $moving)) {
                    return "Others than administrators may move what is in $folder ($($rule.IdentityReference.Value)). Take their rights away, or choose another folder."
                }
            }
        }
        $folder = Split-Path -Path $folder -Parent
    }
    if (-not (Test-Path -LiteralPath $Path -PathType Container)) {
        return ''
    }
    $writing = [System.Security.AccessControl.FileSystemRights]'CreateFiles, AppendData, Delete, ChangePermissions, TakeOwnership'
    $rules = (Get-Acl -LiteralPath $Path).GetAccessRules($true, $true, [System.Security.Principal.SecurityIdentifier])
    foreach ($rule in $rules) {
        if ($rule.AccessControlType -eq 'Allow' -and $own -notcontains $rule.IdentityReference.Value -and ($rule.FileSystemRights -band $writing)) {
            return "Others than administrators may write into $Path ($($rule.IdentityReference.Value)). Take their rights away, or choose another folder."
        }
    }
    return ''
}

function New-KeepwellSandbox {
    <#
    .SYNOPSIS
    Path of a new sandbox, named by Save before it is made. Refuses like Get-KeepwellSandboxRoom.
    #>
    [CmdletBinding()]
    param(
        [Parameter()] [AllowNull()] [AllowEmptyString()] [string] $Asked,
        [Parameter(Mandatory = $true)] [string] $Id,
        [Parameter()] [double] $NeedBytes = 0,
        [Parameter(Mandatory = $true)] [scriptblock] $Save
    )
    $room = Get-KeepwellSandboxRoom -Asked $Asked
    if ($room.code) {
        Stop-KeepwellRequest -Code $room.code -Text $room.refused
    }
    if ($null -eq $room.free_bytes -or $room.free_bytes -lt $NeedBytes) {
        Stop-KeepwellRequest -Code 'no_space' -Text "There is too little room below $($room.base)."
    }
    $path = Join-Path -Path $room.base -ChildPath "$Id-$([System.Guid]::NewGuid().ToString('N').Substring(0, 8))"
    $null = & $Save @{ sandbox = $path }
    try {
        $ours = $room.base.StartsWith("$(Get-KeepwellWorkHome)\", [System.StringComparison]::OrdinalIgnoreCase)
        if ($ours) {
            New-KeepwellFolder -Path (Get-KeepwellWorkHome)
        }
        if ($ours -or -not (Test-Path -LiteralPath $room.base)) {
            New-KeepwellFolder -Path $room.base
        }
        New-KeepwellFolder -Path $path
        Import-KeepwellFileTool
        $wrong = [Keepwell.FileTool]::Check($path)
    }
    catch {
        Stop-KeepwellRequest -Code 'read_only' -Text "Nothing can be written below $($room.base): $($_.Exception.Message)"
    }
    if ($wrong) {
        # What cannot be removed by this path is not restored to it.
        Stop-KeepwellRequest -Code 'unsafe_path' -Text "$path is not where its path says ($wrong). Name the folder by its full, true path."
    }
    return $path
}

function Remove-KeepwellSandbox {
    <#
    .SYNOPSIS
    Remove a sandbox that the state of a work names; '' when nothing is left of it, else what is.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Path,
        [Parameter(Mandatory = $true)] [string] $Id
    )
    if ((Split-Path -Path $Path -Leaf) -notlike "$Id-????????" -or -not (Test-Path -LiteralPath $Path)) {
        return ''
    }
    if ((Get-Item -LiteralPath $Path -Force).Attributes -band [System.IO.FileAttributes]::ReparsePoint) {
        return "$Path became a link and is left as it is"
    }
    try {
        # Restored files come back with the rights that they had, and with paths longer than PowerShell can remove.
        Import-KeepwellFileTool
        return [Keepwell.FileTool]::Clear($Path)
    }
    catch {
        return "$Path ($($_.Exception.GetType().Name))"
    }
}

Export-ModuleMember -Function @(
    'Get-KeepwellSandboxBase',
    'Get-KeepwellSandboxFault',
    'Get-KeepwellSandboxRoom',
    'New-KeepwellSandbox',
    'Remove-KeepwellSandbox'
)
