# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The folder of a chore's work on a Windows host, its state, and the lock that only one holds: as _folder.py elsewhere.
#
# %ProgramData%\Keepwell\<chore>\<id>\ has request.json, program.ps1, state.json and log; SYSTEM and Administrators alone
# get in. What is there already and belongs to somebody else is not used.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone: work that outlives its connection takes them along.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.answer
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.rounds
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine

function Get-KeepwellNow {
    <#
    .SYNOPSIS
    Return seconds since 1970.
    #>
    [CmdletBinding()]
    param()
    return ConvertTo-KeepwellEpoch -Moment ([System.DateTime]::UtcNow)
}

function Get-KeepwellWorkHome {
    <#
    .SYNOPSIS
    Return the folder that has the folders of all chores.
    #>
    [CmdletBinding()]
    param()
    return Join-Path -Path ([System.Environment]::GetFolderPath('CommonApplicationData')) -ChildPath 'Keepwell'
}

function Get-KeepwellWorkFolder {
    <#
    .SYNOPSIS
    Return the folder of a piece of work; refuse what is no id.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Chore,
        [Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $Id
    )
    if ($Id -cnotmatch '^[0-9A-Za-z]{8,40}$') {
        Stop-KeepwellRequest -Code 'bad_request' -Text "'$Id' is no id of a piece of work."
    }
    return Join-Path -Path (Join-Path -Path (Get-KeepwellWorkHome) -ChildPath $Chore) -ChildPath $Id
}

function New-KeepwellSecurity {
    <#
    .SYNOPSIS
    Return the security of a folder that SYSTEM and Administrators alone may enter, whatever lies above it.
    #>
    [CmdletBinding()]
    param()
    $security = New-Object -TypeName System.Security.AccessControl.DirectorySecurity
    $security.SetAccessRuleProtection($true, $false)
    foreach ($sid in @('S-1-5-18', 'S-1-5-32-544')) {
        $who = New-Object -TypeName System.Security.Principal.SecurityIdentifier -ArgumentList $sid
        $rule = New-Object -TypeName System.Security.AccessControl.FileSystemAccessRule -ArgumentList @(
            $who, 'FullControl', 'ContainerInherit, ObjectInherit', 'None', 'Allow'
        )
        $security.AddAccessRule($rule)
        $security.SetOwner($who)
    }
    return $security
}

function New-KeepwellFolder {
    <#
    .SYNOPSIS
    Make a folder for SYSTEM and Administrators alone; refuse one that somebody else made before, or that is a link.
    .DESCRIPTION
    Everybody may make folders below %ProgramData%: who makes ours first must not own what SYSTEM then runs from it.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Path)
    try {
        # It makes nothing, and says nothing, where somebody was faster: so what is there now is looked at in any case.
        $null = [System.IO.Directory]::CreateDirectory($Path, (New-KeepwellSecurity))
        if ([System.IO.File]::GetAttributes($Path) -band [System.IO.FileAttributes]::ReparsePoint) {
            Stop-KeepwellRequest -Code 'no_folder' -Text "$Path is a link. Remove it: it is not Keepwell's."
        }
        $known = [System.IO.Directory]::GetAccessControl($Path)
        $owner = $known.GetOwner([System.Security.Principal.SecurityIdentifier]).Value
        if (@('S-1-5-18', 'S-1-5-32-544') -notcontains $owner) {
            Stop-KeepwellRequest -Code 'no_folder' -Text "$Path belongs to somebody else ($owner). Remove it: it is not Keepwell's."
        }
        [System.IO.Directory]::SetAccessControl($Path, (New-KeepwellSecurity))
    }
    catch [System.IO.IOException], [System.UnauthorizedAccessException] {
        Stop-KeepwellRequest -Code 'no_folder' -Text "$Path cannot be made: $($_.Exception.Message)"
    }
}

function New-KeepwellWorkFolder {
    <#
    .SYNOPSIS
    Make the folder of a piece of work, with a file in it that is given up when the disk is full; return its path.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Chore,
        [Parameter(Mandatory = $true)] [string] $Id
    )
    $folder = Get-KeepwellWorkFolder -Chore $Chore -Id $Id
    New-KeepwellFolder -Path (Get-KeepwellWorkHome)
    New-KeepwellFolder -Path (Split-Path -Path $folder -Parent)
    New-KeepwellFolder -Path $folder
    try {
        [System.IO.File]::WriteAllBytes((Join-Path -Path $folder -ChildPath 'ballast'), (New-Object -TypeName 'byte[]' -ArgumentList 262144))
    }
    catch [System.IO.IOException] {
        [System.IO.Directory]::Delete($folder, $true)
        Stop-KeepwellRequest -Code 'no_folder' -Text "$folder cannot be written: $($_.Exception.Message)"
    }
    return $folder
}

function Write-KeepwellFile {
    <#
    .SYNOPSIS
    Write a file of a piece of work whole or not at all. What was put by for a full disk helps out once.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Folder,
        [Parameter(Mandatory = $true)] [string] $Name,
        [Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $Text
    )
    $target = Join-Path -Path $Folder -ChildPath $Name
    $scratch = "$target.new"
    # With a byte order mark: without one PowerShell 5.1 reads a script in the system's code page.
    $encoding = New-Object -TypeName System.Text.UTF8Encoding -ArgumentList $true
    foreach ($try in 1..5) {
        try {
            [System.IO.File]::WriteAllText($scratch, $Text, $encoding)
            if ([System.IO.File]::Exists($target)) {
                [System.IO.File]::Replace($scratch, $target, [System.Management.Automation.Language.NullString]::Value)
            }
            else {
                [System.IO.File]::Move($scratch, $target)
            }
            return
        }
        catch [System.IO.IOException], [System.UnauthorizedAccessException] {
            # 112 and 39: the disk is full. Anything else may be somebody who reads the file just now: ReplaceFile then
            # says that it is shared, or that access is denied.
            $full = @(112, 39) -contains ($_.Exception.HResult -band 0xFFFF)
            $ballast = Join-Path -Path $Folder -ChildPath 'ballast'
            if ($try -eq 5 -or ($full -and -not [System.IO.File]::Exists($ballast))) {
                throw
            }
            if ($full) {
                [System.IO.File]::Delete($ballast)
            }
            Start-Sleep -Milliseconds 200
        }
    }
}

function Write-KeepwellDocument {
    <#
    .SYNOPSIS
    Write a document as JSON, whole or not at all.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Folder,
        [Parameter(Mandatory = $true)] [string] $Name,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Document
    )
    Write-KeepwellFile -Folder $Folder -Name $Name -Text (ConvertTo-Json -InputObject $Document -Depth 20)
}

function Read-KeepwellDocument {
    <#
    .SYNOPSIS
    Return a JSON document of a folder as hashtables and arrays, or $null when there is none that can be read.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Folder,
        [Parameter(Mandatory = $true)] [string] $Name
    )
    $path = Join-Path -Path $Folder -ChildPath $Name
    foreach ($try in 1, 2, 3) {
        try {
            if (-not [System.IO.File]::Exists($path) -and -not [System.IO.File]::Exists("$path.new")) {
                return $null
            }
            $read = ConvertFrom-Json -InputObject ([System.IO.File]::ReadAllText($path))
            return ConvertTo-KeepwellHashtable -Value $read
        }
        catch [System.IO.IOException], [System.UnauthorizedAccessException] {
            # It is being replaced at this moment: for an instant it is not there, or access to it is denied.
            Start-Sleep -Milliseconds 100
        }
        catch {
            return $null
        }
    }
    return $null
}

function ConvertTo-KeepwellHashtable {
    <#
    .SYNOPSIS
    Return what ConvertFrom-Json, or Ansible, made as hashtables, arrays and plain values.
    #>
    [CmdletBinding()]
    param([Parameter()] [AllowNull()] $Value)
    if ($Value -is [System.Management.Automation.PSCustomObject]) {
        $table = @{}
        $names = @($Value.PSObject.Properties | ForEach-Object -Process { $_.Name })
        # So PowerShell 5.1 writes an array that a cmdlet returned whole.
        if ($names.Count -eq 2 -and $names -contains 'value' -and $names -contains 'Count') {
            return ConvertTo-KeepwellHashtable -Value $Value.value
        }
        foreach ($property in $Value.PSObject.Properties) {
            $table[$property.Name] = ConvertTo-KeepwellHashtable -Value $property.Value
        }
        return $table
    }
    if ($Value -is [System.Collections.IDictionary]) {
        $table = @{}
        foreach ($key in @($Value.Keys)) {
            $table[[string]$key] = ConvertTo-KeepwellHashtable -Value $Value[$key]
        }
        return $table
    }
    if ($Value -is [System.Collections.IEnumerable] -and $Value -isnot [string]) {
        $list = @(foreach ($each in $Value) { , (ConvertTo-KeepwellHashtable -Value $each) })
        return , $list
    }
    return $Value
}

function Get-KeepwellLogTail {
    <#
    .SYNOPSIS
    Return the last words of the programs that a piece of work called.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Folder)
    $path = Join-Path -Path $Folder -ChildPath 'log'
    try {
        if (-not [System.IO.File]::Exists($path)) {
            return ''
        }
        $text = [System.IO.File]::ReadAllText($path)
        return $text.Substring([System.Math]::Max(0, $text.Length - 4000))
    }
    catch [System.IO.IOException] {
        return ''
    }
}

function Get-KeepwellWorkId {
    <#
    .SYNOPSIS
    Return the ids of all pieces of a chore's work that the host knows, oldest first.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Chore)
    $place = Join-Path -Path (Get-KeepwellWorkHome) -ChildPath $Chore
    if (-not [System.IO.Directory]::Exists($place)) {
        return
    }
    foreach ($path in ([System.IO.Directory]::GetDirectories($place) | Sort-Object)) {
        $name = Split-Path -Path $path -Leaf
        if ($name -cmatch '^[0-9A-Za-z]{8,40}$') {
            $name
        }
    }
}

function Open-KeepwellGate {
    <#
    .SYNOPSIS
    Return the gate through which only one start goes at a time, open for us; whoever is second waits for a moment.
    #>
    [CmdletBinding()]
    param()
    New-KeepwellFolder -Path (Get-KeepwellWorkHome)
    $path = Join-Path -Path (Get-KeepwellWorkHome) -ChildPath 'start'
    foreach ($try in 1..300) {
        try {
            return [System.IO.File]::Open($path, 'OpenOrCreate', 'Write', 'None')
        }
        catch [System.IO.IOException] {
            if (($_.Exception.HResult -band 0xFFFF) -ne 32) {
                throw
            }
            Start-Sleep -Milliseconds 100
        }
    }
    Stop-KeepwellRequest -Code 'host_locked' -Text 'Another start of Keepwell on this host takes longer than 30 seconds.'
}

function Lock-KeepwellHost {
    <#
    .SYNOPSIS
    Take the lock that whoever changes this host for Keepwell holds; return it, or the holder's own words.
    .DESCRIPTION
    The lock is a file that is open for writing: it is free again when the process ends, however it ends. A round of
    updates has the host as well, and holds no file.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Who)
    $round = Get-KeepwellRunningRound
    if ($round) {
        return $round
    }
    New-KeepwellFolder -Path (Get-KeepwellWorkHome)
    $path = Join-Path -Path (Get-KeepwellWorkHome) -ChildPath 'lock'
    foreach ($try in 1..10) {
        try {
            $stream = [System.IO.File]::Open($path, 'OpenOrCreate', 'Write', 'Read')
            $words = [System.Text.Encoding]::UTF8.GetBytes("$Who (process $PID)")
            $stream.SetLength(0)
            $stream.Write($words, 0, $words.Length)
            $stream.Flush()
            return $stream
        }
        catch [System.IO.IOException] {
            if (($_.Exception.HResult -band 0xFFFF) -ne 32) {
                throw
            }
            Start-Sleep -Milliseconds 100
        }
    }
    $other = Get-KeepwellHolder
    if ($other) {
        return $other
    }
    return 'somebody who did not say who'
}

function Get-KeepwellHolder {
    <#
    .SYNOPSIS
    Return who holds the lock; '' when nobody does.
    #>
    [CmdletBinding()]
    param()
    $path = Join-Path -Path (Get-KeepwellWorkHome) -ChildPath 'lock'
    if (-not [System.IO.File]::Exists($path)) {
        return ''
    }
    try {
        $mine = [System.IO.File]::Open($path, 'Open', 'Write', 'ReadWrite')
        $mine.Dispose()
        return ''
    }
    catch [System.IO.IOException] {
        if (($_.Exception.HResult -band 0xFFFF) -ne 32) {
            return ''
        }
    }
    try {
        $stream = [System.IO.File]::Open($path, 'Open', 'Read', 'ReadWrite')
        $reader = New-Object -TypeName System.IO.StreamReader -ArgumentList $stream
        $words = $reader.ReadToEnd()
        $reader.Dispose()
        return $words
    }
    catch [System.IO.IOException] {
        return 'somebody who did not say who'
    }
}

Export-ModuleMember -Function '*-Keepwell*'
