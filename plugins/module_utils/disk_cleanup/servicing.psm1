# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The rules that concern Windows Update, and leave the work to Windows where it has a program for it: the cache of
# fetched updates, Delivery Optimization, the component store.
#
# DISM is asked in English, so that its words can be read, and never with /ResetBase: that takes away the way back.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone: work that outlives its connection takes them along.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.work
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup.account
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup.walk
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine

function Get-KeepwellServicing {
    <#
    .SYNOPSIS
    Return why servicing has to be left alone now, in words; '' when nothing stands against it.
    #>
    [CmdletBinding()]
    param()
    $machine = New-KeepwellMachine -LimitS 60
    $servicing = 'SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing'
    $updating = 'SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update'
    foreach ($key in "$servicing\RebootPending", "$servicing\PackagesPending", "$servicing\RebootInProgress", "$updating\RebootRequired") {
        $there = Test-KeepwellRegistryKey -Machine $machine -Key $key
        if ($there) {
            return "Windows waits for a restart ($(Split-Path -Path $key -Leaf))"
        }
        if ($null -eq $there) {
            return "whether Windows waits for a restart cannot be seen ($(Split-Path -Path $key -Leaf))"
        }
    }
    $sessions = Get-KeepwellRegistryValue -Machine $machine -Key "$servicing\SessionsPending"
    if ($null -ne $sessions -and [int64]$sessions['Exclusive'] -gt 0) {
        return 'a servicing session is pending'
    }
    try {
        $busy = @(Get-CimInstance -ClassName Win32_Process -Filter "Name = 'TiWorker.exe' OR Name = 'dism.exe' OR Name = 'DismHost.exe'" -Property Name -ErrorAction Stop)
    }
    catch {
        return 'whether servicing is at work cannot be seen'
    }
    if ($busy.Count -gt 0) {
        return "servicing is at work ($($busy[0].Name))"
    }
    return ''
}

function Get-KeepwellUpdating {
    <#
    .SYNOPSIS
    Return why Windows Update has to be left alone now, in words; '' when nothing stands against it.
    #>
    [CmdletBinding()]
    param([switch] $Sure)
    $against = Get-KeepwellServicing
    if ($against) {
        return $against
    }
    try {
        $installer = New-Object -ComObject 'Microsoft.Update.Installer'
        if ($installer.IsBusy) {
            return 'Windows Update is installing'
        }
        if ($installer.RebootRequiredBeforeInstallation) {
            return 'Windows waits for a restart before it installs more'
        }
    }
    catch {
        # Over a connection Windows Update may refuse to say; the work itself, as SYSTEM, has to know.
        if ($Sure) {
            return 'whether Windows Update is at work cannot be seen'
        }
    }
    try {
        $jobs = @(Get-BitsTransfer -AllUsers -ErrorAction Stop | Where-Object -FilterScript { @('Queued', 'Connecting', 'Transferring') -contains [string]$_.JobState })
        if ($jobs.Count -gt 0) {
            return 'transfers are under way in the background (BITS)'
        }
    }
    catch {
        if ($Sure) {
            return 'whether transfers are under way (BITS) cannot be seen'
        }
    }
    return ''
}

function Invoke-KeepwellUpdateCache {
    <#
    .SYNOPSIS
    Go through the cache of fetched updates; while files go, the services that use it are stopped, and started again.
    .DESCRIPTION
    Only files, never the folder itself or its neighbours: renaming it loses the history of updates.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [AllowEmptyCollection()] [object[]] $Walk)
    foreach ($each in $Walk) {
        $against = Get-KeepwellUpdating -Sure:$each.act
        if ($against) {
            $each.account.notes.Add("nothing was done: $against.")
            continue
        }
        if (-not $each.act) {
            Invoke-KeepwellWalk -Walk $each
            continue
        }
        $stopped = @()
        try {
            foreach ($name in 'wuauserv', 'bits', 'dosvc') {
                $service = Get-Service -Name $name -ErrorAction SilentlyContinue
                if ($null -ne $service -and $service.Status -eq 'Running') {
                    # Before it is stopped: a stop that takes too long is still one.
                    $stopped += $name
                    Stop-Service -Name $name -ErrorAction Stop
                }
            }
            Invoke-KeepwellWalk -Walk $each
        }
        catch [Microsoft.PowerShell.Commands.ServiceCommandException] {
            $each.account.notes.Add("nothing was done: a service could not be stopped: $($_.Exception.Message)")
        }
        finally {
            foreach ($name in $stopped) {
                Start-Service -Name $name -ErrorAction SilentlyContinue
                if ((Get-Service -Name $name).Status -notin 'Running', 'StartPending') {
                    $each.account.notes.Add("The service $name was stopped for this and did not start again: start it.")
                    $each.account.stopped = 'command_failed'
                }
            }
        }
    }
}

function Invoke-KeepwellDeliveryOptimization {
    <#
    .SYNOPSIS
    Let Delivery Optimization empty its cache by its own command; never what somebody pinned there.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Walk)
    if ($null -eq (Get-Command -Name 'Delete-DeliveryOptimizationCache' -ErrorAction SilentlyContinue)) {
        $Walk.account.notes.Add('this Windows has no command for it.')
        return
    }
    $Walk.target = $Walk.targets[[System.IO.Path]::GetPathRoot([System.Environment]::SystemDirectory).ToUpperInvariant()]
    if ($null -eq $Walk.target) {
        return
    }
    $size = [int64]0
    $count = 0
    try {
        foreach ($file in @(Get-DeliveryOptimizationStatus -ErrorAction Stop)) {
            $size += [int64]$file.FileSizeInCache
            $count += 1
        }
    }
    catch {
        $Walk.account.notes.Add('its cache could not be looked at.')
        return
    }
    if ($count -eq 0) {
        return
    }
    Complete-KeepwellByWindows -Walk $Walk -Count $count -Bytes $size -Name 'Delivery Optimization' -Act {
        Delete-DeliveryOptimizationCache -Force -ErrorAction Stop
    }
}

function Complete-KeepwellByWindows {
    <#
    .SYNOPSIS
    Count what Windows says that it would free, or let it do so and count what became free.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Walk,
        [Parameter(Mandatory = $true)] [int] $Count,
        [Parameter(Mandatory = $true)] [int64] $Bytes,
        [Parameter(Mandatory = $true)] [string] $Name,
        [Parameter(Mandatory = $true)] [scriptblock] $Act
    )
    $account = $Walk.account
    if (Test-KeepwellReached -Target $Walk.target) {
        $account.stopped = 'target'
        $account.rest_files += $Count
        $account.rest_bytes += $Bytes
        return
    }
    if ($Walk.act) {
        $before = (Get-KeepwellSpace -Mount $Walk.target.mount).free_bytes
        try {
            $null = & $Act
        }
        catch {
            $said = ($_.Exception.Message -replace '\s+', ' ').Trim()
            $account.notes.Add("${Name}: $said")
            $account.stopped = 'command_failed'
            return
        }
        # What a program announces is the most it may be: what came of it is measured.
        $Bytes = [System.Math]::Max([int64]0, (Get-KeepwellSpace -Mount $Walk.target.mount).free_bytes - $before)
    }
    $account.files += $Count
    $account.bytes += $Bytes
    Add-KeepwellFreed -Account $account -Budget $Walk.budget -Target $Walk.target -Bytes $Bytes
}

function Invoke-KeepwellComponentStore {
    <#
    .SYNOPSIS
    Let DISM clean the component store, where it recommends that itself and nothing stands against it.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Walk,
        [Parameter(Mandatory = $true)] [string] $Folder,
        [Parameter()] [AllowNull()] $Save = $null
    )
    $account = $Walk.account
    $Walk.target = $Walk.targets[[System.IO.Path]::GetPathRoot([System.Environment]::SystemDirectory).ToUpperInvariant()]
    if ($null -eq $Walk.target) {
        return
    }
    $against = Get-KeepwellServicing
    if ($against) {
        $account.notes.Add("nothing was done: $against.")
        return
    }
    # What the other rules used up is gone: the work ends at its limit, whatever DISM does then.
    $left = $Walk.limit_s - $Walk.budget.clock.Elapsed.TotalSeconds
    if ($Walk.act -and $left -lt 600) {
        $account.notes.Add('nothing was done: too little time is left for DISM.')
        return
    }
    $dism = Join-Path -Path ([System.Environment]::SystemDirectory) -ChildPath 'dism.exe'
    $looked = Invoke-KeepwellProgram -Path $dism -Argument '/English /Online /NoRestart /Cleanup-Image /AnalyzeComponentStore' -Folder $Folder -LimitS ([System.Math]::Max(60, [System.Math]::Min(900, $left))) -Save $Save
    $found = Read-KeepwellStoreAnalysis -Text $looked.out
    if ($looked.rc -ne 0 -or $null -eq $found.recommended) {
        $account.notes.Add("DISM could not look at the component store ($(Get-KeepwellDismEnd -Ended $looked)).")
        return
    }
    $account.notes.Add("the component store has $($found.actual) and $($found.packages) packages that can go; cleanup recommended: $($found.recommended).")
    if ($found.recommended -ne 'Yes') {
        return
    }
    Complete-KeepwellByWindows -Walk $Walk -Count ([System.Math]::Max(1, $found.packages)) -Bytes $found.cache_bytes -Name 'DISM' -Act {
        $done = Invoke-KeepwellProgram -Path $dism -Argument '/English /Online /NoRestart /Cleanup-Image /StartComponentCleanup' -Folder $Folder -LimitS ([System.Math]::Max(60, $Walk.limit_s - $Walk.budget.clock.Elapsed.TotalSeconds)) -Save $Save
        # 3010: done, and the next restart completes it.
        if (@(0, 3010) -notcontains $done.rc) {
            throw "StartComponentCleanup: $(Get-KeepwellDismEnd -Ended $done)"
        }
    }
}

function Read-KeepwellStoreAnalysis {
    <#
    .SYNOPSIS
    Return what DISM says in English of the component store: recommended, packages, actual (words), cache_bytes.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $Text)
    $found = @{ recommended = $null; packages = 0; actual = '?'; cache_bytes = [int64]0 }
    $units = @{ bytes = 1; KB = 1024; MB = 1048576; GB = 1073741824; TB = 1099511627776 }
    if ($Text -match '(?m)^Component Store Cleanup Recommended : (Yes|No)\s*$') {
        $found.recommended = $Matches[1]
    }
    if ($Text -match '(?m)^Number of Reclaimable Packages : (\d+)') {
        $found.packages = [int]$Matches[1]
    }
    if ($Text -match '(?m)^Actual Size of Component Store : (.+?)\s*$') {
        $found.actual = $Matches[1]
    }
    if ($Text -match '(?m)^\s*Cache and Temporary Data : ([\d.,]+) (bytes|KB|MB|GB|TB)') {
        $number = 0.0
        $unit = $units[$Matches[2]]
        # What cannot be read as a number is told as nothing: what became free is measured.
        if ([double]::TryParse($Matches[1].Replace(',', '.'), [System.Globalization.NumberStyles]::Float, [System.Globalization.CultureInfo]::InvariantCulture, [ref]$number)) {
            $found.cache_bytes = [int64]($number * $unit)
        }
    }
    return $found
}

function Get-KeepwellDismEnd {
    <#
    .SYNOPSIS
    Return how DISM ended, in words: its code as hexadecimal digits, which is the same in every language.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Ended)
    if ($Ended.timed_out) {
        return 'it takes longer than it may, and goes on by itself'
    }
    return 'code 0x{0:x}' -f ([int64]$Ended.rc -band 0xFFFFFFFFL)
}

Export-ModuleMember -Function '*-Keepwell*'
