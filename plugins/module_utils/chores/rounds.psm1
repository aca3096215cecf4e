# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.answer
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine

# Which round of updates was begun on this host, and whether it is still at work.
#
# Windows Update does that work, and no program of Keepwell's holds the lock meanwhile: a note says that it was begun. A
# note is a key below HKLM\SOFTWARE\Keepwell\patching, which only administrators can write; its value "note" is JSON.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone: work that outlives its connection takes them along.

function Get-KeepwellNotePath {
    <#
    .SYNOPSIS
    Return where the notes are, or where the note with this id is.
    #>
    [CmdletBinding()]
    param(
        [string] $Id = ''
    )
    if ($Id -and $Id -notmatch '^[0-9A-Z]{26}$') {
        Stop-KeepwellRequest -Code 'bad_request' -Text "'$Id' is no id of a round."
    }
    $path = 'HKLM:\SOFTWARE\Keepwell\patching'
    if ($Id) { return "$path\$Id" }
    return $path
}

function Get-KeepwellNote {
    <#
    .SYNOPSIS
    Return the notes, oldest first, or only that with this id; nothing when there is none.
    #>
    [CmdletBinding()]
    param(
        [string] $Id = ''
    )
    $root = Get-KeepwellNotePath
    if (-not (Test-Path -LiteralPath $root)) {
        return
    }
    $names = @(Get-ChildItem -LiteralPath $root -ErrorAction Stop | ForEach-Object -Process { $_.PSChildName })
    foreach ($name in @($names | Sort-Object)) {
        if ($Id -and $name -ne $Id) { continue }
        $key = Get-ItemProperty -LiteralPath "$root\$name" -ErrorAction Stop
        if ($key.note) { ConvertFrom-Json -InputObject $key.note }
    }
}

function Get-KeepwellInstaller {
    <#
    .SYNOPSIS
    Return @{ process; pid } of everything that installs just now: servicing, and Windows Installer.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $filter = "Name = 'TiWorker.exe'"
    foreach ($process in @(Get-KeepwellInstance -Machine $Machine -Class Win32_Process -Filter $filter -Source 'servicing')) {
        if ($null -ne $process) {
            @{ process = [string]$process.Name; pid = [int]$process.ProcessId }
        }
    }
    $held = Read-KeepwellSource -Machine $Machine -Source 'Windows Installer' -Read {
        $found = $null
        $open = [System.Threading.Mutex]::TryOpenExisting('Global\_MSIExecute', [ref]$found)
        if ($open) { $found.Dispose() }
        $open
    }
    if ($held) {
        @{ process = 'Windows Installer'; pid = $null }
    }
}

function Test-KeepwellUpdateHelper {
    <#
    .SYNOPSIS
    Return $true while a helper of ansible.windows.win_updates lives, which it does as long as its pipe.
    .DESCRIPTION
    It goes on when the connection is lost, and then keeps its last word for somebody who fetches it: until the next
    boot, when nobody does. So this alone is no proof that something is installed.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $pipes = Read-KeepwellSource -Machine $Machine -Source 'win_updates' -Read {
        [System.IO.Directory]::GetFiles('\\.\pipe\', 'Ansible.Windows.WinUpdates-*')
    }
    return @($pipes | Where-Object -FilterScript { $_ }).Count -gt 0
}

function Test-KeepwellRoundAlive {
    <#
    .SYNOPSIS
    Return $true while something may still be at work on a note.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [object] $Note
    )
    $now = ConvertTo-KeepwellEpoch -Moment ([System.DateTime]::UtcNow)
    if ($Note.recorded -or $now -ge ($Note.started_at + $Note.runtime_s)) {
        return $false
    }
    $machine = New-KeepwellMachine -LimitS 20
    if (@(Get-KeepwellInstaller -Machine $machine).Count -gt 0 -or (Test-KeepwellUpdateHelper -Machine $machine)) {
        return $true
    }
    # Nothing found is only good where somebody could look.
    $told = @('servicing', 'Windows Installer', 'win_updates' | ForEach-Object -Process { $machine.sources[$_].status })
    return @($told | Where-Object -FilterScript { $_ -ne 'ok' }).Count -gt 0
}

function Get-KeepwellRunningRound {
    <#
    .SYNOPSIS
    Return which round of updates is at work, in words; '' when none is.
    #>
    [CmdletBinding()]
    param()
    foreach ($note in @(Get-KeepwellNote)) {
        if (Test-KeepwellRoundAlive -Note $note) {
            return "patching $($note.id) of run $($note.run_id)"
        }
    }
    return ''
}

Export-ModuleMember -Function @(
    'Get-KeepwellInstaller'
    'Get-KeepwellNote'
    'Get-KeepwellNotePath'
    'Get-KeepwellRunningRound'
    'Test-KeepwellRoundAlive'
    'Test-KeepwellUpdateHelper'
)
