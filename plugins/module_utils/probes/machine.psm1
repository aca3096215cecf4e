# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# How a probe reads a Windows host: what _machine.py and _sources.py are elsewhere.
#
# Every source has a name and a status (ok, absent, denied, error, timeout), kept in the machine that a probe is given.
# What cannot be read is $null and noted; it never ends the probe. Nothing that Windows translates is read: registry,
# CIM, COM and the XML of events.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone, no variables of the module: the runner carries the
# definitions of functions into the runspaces of the probes.

function New-KeepwellMachine {
    <#
    .SYNOPSIS
    Return what a probe reads through: sources and truncated are kept in it, deadline is when its time is over (UTC).
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [double] $LimitS
    )
    return @{
        sources = @{}
        truncated = $false
        privileged = Test-KeepwellAdministrator
        deadline = [System.DateTime]::UtcNow.AddSeconds($LimitS)
    }
}

function Test-KeepwellAdministrator {
    <#
    .SYNOPSIS
    Return $true when this session has the rights of an administrator.
    #>
    [CmdletBinding()]
    param()
    $user = [System.Security.Principal.WindowsIdentity]::GetCurrent()
    $principal = New-Object -TypeName System.Security.Principal.WindowsPrincipal -ArgumentList $user
    return $principal.IsInRole([System.Security.Principal.WindowsBuiltInRole]::Administrator)
}

function Get-KeepwellTimeLeft {
    <#
    .SYNOPSIS
    Return the seconds that are left of the probe's own time, at least 1.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    return [System.Math]::Max(1.0, ($Machine.deadline - [System.DateTime]::UtcNow).TotalSeconds)
}

function Get-KeepwellCallTime {
    <#
    .SYNOPSIS
    Return how many whole seconds one call of CIM may take: so that one which hangs leaves two seconds to the other sources.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    return [uint32][System.Math]::Max(1, [System.Math]::Floor((Get-KeepwellTimeLeft -Machine $Machine) - 2))
}

function Stop-KeepwellProbe {
    <#
    .SYNOPSIS
    End a probe that cannot deliver anything at all: its record gets this status (absent, denied, error).
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Status,
        [Parameter(Mandatory = $true)] [string] $Detail
    )
    $unreadable = New-Object -TypeName System.InvalidOperationException -ArgumentList $Detail
    $unreadable.Data['keepwell_status'] = $Status
    throw $unreadable
}

function Add-KeepwellNote {
    <#
    .SYNOPSIS
    Record how well a source could be read; the worst status of a source stays.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [Parameter(Mandatory = $true)] [string] $Source,
        [Parameter(Mandatory = $true)] [string] $Status,
        [string] $Detail = ''
    )
    $order = @('ok', 'absent', 'denied', 'error', 'timeout')
    $known = $Machine.sources[$Source]
    if ($known -and [System.Array]::IndexOf($order, $known.status) -ge [System.Array]::IndexOf($order, $Status)) {
        return
    }
    $entry = @{ status = $Status }
    if ($Detail) {
        $entry.detail = Get-KeepwellLine -Text $Detail
    }
    $Machine.sources[$Source] = $entry
}

function Get-KeepwellLine {
    <#
    .SYNOPSIS
    Return a text as one line of at most 300 characters.
    #>
    [CmdletBinding()]
    param(
        [AllowEmptyString()] [AllowNull()] [string] $Text
    )
    $line = ([string]$Text -replace '\s+', ' ').Trim()
    return $line.Substring(0, [System.Math]::Min(300, $line.Length))
}

function Get-KeepwellFailure {
    <#
    .SYNOPSIS
    Return @{ status; detail; code } of an error: denied, absent or error, one line, and its HRESULT in eight digits.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Management.Automation.ErrorRecord] $ErrorRecord
    )
    # 5: of Windows itself.
    $denied = @('UnauthorizedAccessException', 'SecurityException', 'AccessDenied', '5', '80070005', '80041003')
    # Of CIM and WMI: namespace, class or object that is not there, or that no driver serves (disks of virtual machines);
    # of Windows itself: 50, what this edition cannot do (teams of network cards on a client); of COM: a class that is
    # not registered.
    $absent = @(
        'ItemNotFoundException', 'DriveNotFoundException', 'CommandNotFoundException', 'EventLogNotFoundException',
        'FileNotFoundException', 'DirectoryNotFoundException', 'InvalidNamespace', 'InvalidClass', 'NotFound',
        'NotSupported', 'Windows System Error 50', '8004100C', '8004100E', '80041010', '80041002', '80040154'
    )
    $status = 'error'
    $exception = $ErrorRecord.Exception
    $innermost = $exception
    while ($null -ne $exception) {
        $innermost = $exception
        $signs = @($exception.GetType().Name, [string]$exception.NativeErrorCode, [string]$exception.MessageId, ('{0:X8}' -f $exception.HResult))
        if (@($signs | Where-Object -FilterScript { $denied -contains $_ }).Count -gt 0) {
            $status = 'denied'
        }
        elseif (@($signs | Where-Object -FilterScript { $absent -contains $_ }).Count -gt 0) {
            $status = 'absent'
        }
        $exception = $exception.InnerException
    }
    return @{
        status = $status
        detail = Get-KeepwellLine -Text ("{0} {1:X8}: {2}" -f $innermost.GetType().Name, $innermost.HResult, $innermost.Message)
        code = '{0:X8}' -f $innermost.HResult
    }
}

function Read-KeepwellSource {
    <#
    .SYNOPSIS
    Return what a script block returns; $null when it fails, which is then noted for this source.
    .DESCRIPTION
    The block sees the variables of its caller. It may not use $Machine, $Source or $Read for anything else.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [Parameter(Mandatory = $true)] [string] $Source,
        [Parameter(Mandatory = $true)] [scriptblock] $Read
    )
    try {
        $found = & $Read
        Add-KeepwellNote -Machine $Machine -Source $Source -Status 'ok'
        return $found
    }
    catch {
        $failure = Get-KeepwellFailure -ErrorRecord $_
        Add-KeepwellNote -Machine $Machine -Source $Source -Status $failure.status -Detail $failure.detail
        return $null
    }
}

function Read-KeepwellList {
    <#
    .SYNOPSIS
    Return all that a script block returns, one by one, without $null; nothing when it fails, which is then noted.
    .DESCRIPTION
    As Read-KeepwellSource, for callers that put it into @(...): the $null of a failure would be one element there. Whether
    "nothing" means none or unreadable is in $Machine.sources[Source].status.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [Parameter(Mandatory = $true)] [string] $Source,
        [Parameter(Mandatory = $true)] [scriptblock] $Read
    )
    $found = Read-KeepwellSource -Machine $Machine -Source $Source -Read $Read
    foreach ($each in $found) {
        if ($null -ne $each) { $each }
    }
}

function ConvertTo-KeepwellEpoch {
    <#
    .SYNOPSIS
    Return seconds since 1970 UTC as a number; $null for no time at all and for what stands for "never" (before 1971).
    .DESCRIPTION
    A time that does not say in which zone it is counts as UTC with -Utc, else as local time.
    #>
    [CmdletBinding()]
    param(
        [AllowNull()] [object] $Moment,
        [switch] $Utc
    )
    if ($null -eq $Moment) {
        return $null
    }
    $when = [System.DateTime]$Moment
    if ($when.Year -lt 1971) {
        return $null
    }
    if ($when.Kind -eq [System.DateTimeKind]::Unspecified -and $Utc) {
        $when = [System.DateTime]::SpecifyKind($when, [System.DateTimeKind]::Utc)
    }
    $start = New-Object -TypeName System.DateTime -ArgumentList 1970, 1, 1, 0, 0, 0, ([System.DateTimeKind]::Utc)
    return [System.Math]::Round(($when.ToUniversalTime() - $start).TotalSeconds, 3)
}

function Get-KeepwellRegistryValue {
    <#
    .SYNOPSIS
    Return a hashtable with all values of a key below HKEY_LOCAL_MACHINE (the 64-bit view); $null when there is no key.
    .DESCRIPTION
    That a key is not there is an answer, not a failure: it is not noted.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [Parameter(Mandatory = $true)] [string] $Key,
        [string] $Source = 'registry'
    )
    $base = $null
    $opened = $null
    try {
        $base = [Microsoft.Win32.RegistryKey]::OpenBaseKey('LocalMachine', 'Registry64')
        $opened = $base.OpenSubKey($Key)
        if ($null -eq $opened) {
            return $null
        }
        $values = @{}
        foreach ($name in $opened.GetValueNames()) {
            $values[$name] = $opened.GetValue($name)
        }
        return $values
    }
    catch {
        $failure = Get-KeepwellFailure -ErrorRecord $_
        Add-KeepwellNote -Machine $Machine -Source $Source -Status $failure.status -Detail "${Key}: $($failure.detail)"
        return $null
    }
    finally {
        if ($null -ne $opened) { $opened.Dispose() }
        if ($null -ne $base) { $base.Dispose() }
    }
}

function Get-KeepwellRegistryKey {
    <#
    .SYNOPSIS
    Return the names of the keys directly below a key of HKEY_LOCAL_MACHINE (the 64-bit view); nothing without it.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [Parameter(Mandatory = $true)] [string] $Key,
        [string] $Source = 'registry'
    )
    $base = $null
    $opened = $null
    try {
        $base = [Microsoft.Win32.RegistryKey]::OpenBaseKey('LocalMachine', 'Registry64')
        $opened = $base.OpenSubKey($Key)
        if ($null -ne $opened) {
            return $opened.GetSubKeyNames()
        }
    }
    catch {
        $failure = Get-KeepwellFailure -ErrorRecord $_
        Add-KeepwellNote -Machine $Machine -Source $Source -Status $failure.status -Detail "${Key}: $($failure.detail)"
    }
    finally {
        if ($null -ne $opened) { $opened.Dispose() }
        if ($null -ne $base) { $base.Dispose() }
    }
}

function Test-KeepwellRegistryKey {
    <#
    .SYNOPSIS
    Return whether there is such a key below HKEY_LOCAL_MACHINE (the 64-bit view); $null when that may not be seen.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [Parameter(Mandatory = $true)] [string] $Key,
        [string] $Source = 'registry'
    )
    $base = $null
    $opened = $null
    try {
        $base = [Microsoft.Win32.RegistryKey]::OpenBaseKey('LocalMachine', 'Registry64')
        $opened = $base.OpenSubKey($Key)
        return $null -ne $opened
    }
    catch {
        $failure = Get-KeepwellFailure -ErrorRecord $_
        Add-KeepwellNote -Machine $Machine -Source $Source -Status $failure.status -Detail "${Key}: $($failure.detail)"
        return $null
    }
    finally {
        if ($null -ne $opened) { $opened.Dispose() }
        if ($null -ne $base) { $base.Dispose() }
    }
}

function Get-KeepwellValue {
    <#
    .SYNOPSIS
    Return a value of a hashtable; $null where it is not in there, or where there is no hashtable.
    #>
    [CmdletBinding()]
    param(
        [AllowNull()] [object] $From,
        [Parameter(Mandatory = $true)] [string] $Name
    )
    if ($null -eq $From) {
        return $null
    }
    return $From[$Name]
}

function ConvertTo-KeepwellText {
    <#
    .SYNOPSIS
    Return the values of a collection as texts, without empty ones; nothing for $null.
    #>
    [CmdletBinding()]
    param(
        [AllowNull()] [object] $Values
    )
    if ($null -ne $Values) {
        foreach ($value in $Values) {
            if ($null -ne $value -and [string]$value -ne '') { [string]$value }
        }
    }
}

function Get-KeepwellInstance {
    <#
    .SYNOPSIS
    Return the instances of a CIM class (or of a WQL query); nothing when they cannot be read, which is then noted.
    .DESCRIPTION
    Callers put it into @(...). Whether "nothing" means none or unreadable is in $Machine.sources[Source].status.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [Parameter(Mandatory = $true)] [string] $Class,
        [string] $Namespace = 'root/cimv2',
        [string] $Filter = '',
        [string[]] $Property = @(),
        [string] $Source = ''
    )
    $name = if ($Source) { $Source } else { $Class }
    $query = @{
        ClassName = $Class
        Namespace = $Namespace
        OperationTimeoutSec = Get-KeepwellCallTime -Machine $Machine
        ErrorAction = 'Stop'
    }
    if ($Filter) { $query.Filter = $Filter }
    if ($Property.Count -gt 0) { $query.Property = $Property }
    Read-KeepwellList -Machine $Machine -Source $name -Read { Get-CimInstance @query }
}

function Get-KeepwellEvent {
    <#
    .SYNOPSIS
    Return events of a log, newest first: @{ id; at; provider; level; record; data }; nothing when it cannot be read.
    .DESCRIPTION
    at is epoch seconds, data the event's own values by name (Data without a name is "0", "1", ...). Messages are not
    read: Windows translates them. Provider and Id narrow it, SinceS is how many seconds back, Cap how many at most. A log
    that takes longer than the probe has left could not be read.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [Parameter(Mandatory = $true)] [string] $Log,
        [string] $Provider = '',
        [int[]] $Id = @(),
        [double] $SinceS = 0,
        [int] $Cap = 50,
        [string] $Source = ''
    )
    $name = if ($Source) { $Source } else { "log $Log" }
    $tests = @()
    if ($Provider) { $tests += "Provider[@Name='$Provider']" }
    if ($Id.Count -gt 0) { $tests += '(' + (@($Id | ForEach-Object -Process { "EventID=$_" }) -join ' or ') + ')' }
    if ($SinceS -gt 0) { $tests += "TimeCreated[timediff(@SystemTime) <= $([long]($SinceS * 1000))]" }
    $path = if ($tests.Count -gt 0) { "*[System[$($tests -join ' and ')]]" } else { '*' }
    Read-KeepwellList -Machine $Machine -Source $name -Read {
        $query = New-Object -TypeName System.Diagnostics.Eventing.Reader.EventLogQuery -ArgumentList $Log, 'LogName', $path
        $query.ReverseDirection = $true
        $reader = New-Object -TypeName System.Diagnostics.Eventing.Reader.EventLogReader -ArgumentList $query
        # Else 64 events are looked for at a time: for the newest one the whole log would be gone through.
        $reader.BatchSize = [System.Math]::Min(64, $Cap)
        try {
            $count = 0
            while ($count -lt $Cap) {
                # A log of gigabytes may take longer than the probe has, and would cost all that the probe knows already.
                $entry = $reader.ReadEvent([System.TimeSpan]::FromSeconds([System.Math]::Max(0.5, (Get-KeepwellTimeLeft -Machine $Machine) - 1)))
                if ($null -eq $entry) { break }
                $count += 1
                ConvertFrom-KeepwellEvent -Entry $entry
                $entry.Dispose()
            }
        }
        finally {
            $reader.Dispose()
        }
    }
}

function ConvertFrom-KeepwellEvent {
    <#
    .SYNOPSIS
    Return an event as @{ id; at; provider; level; record; data } from its XML.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [object] $Entry
    )
    $values = @{}
    # Whoever fails to sign in says under which name: a control character in it, which XML does not allow, would cost the log.
    $lenient = New-Object -TypeName System.Xml.XmlReaderSettings
    $lenient.CheckCharacters = $false
    $document = New-Object -TypeName System.Xml.XmlDocument
    $document.Load([System.Xml.XmlReader]::Create((New-Object -TypeName System.IO.StringReader -ArgumentList $Entry.ToXml()), $lenient))
    $place = 0
    foreach ($part in @('EventData', 'UserData')) {
        foreach ($item in @($document.DocumentElement.SelectNodes("*[local-name()='$part']//*[not(*)]"))) {
            $label = $item.GetAttribute('Name')
            if (-not $label -and $item.LocalName -ne 'Data') { $label = $item.LocalName }
            if (-not $label) {
                $label = [string]$place
                $place += 1
            }
            $values[$label] = $item.InnerText
        }
    }
    return @{
        id = [int]$Entry.Id
        at = ConvertTo-KeepwellEpoch -Moment $Entry.TimeCreated
        provider = [string]$Entry.ProviderName
        level = [int]$Entry.Level
        record = [long]$Entry.RecordId
        data = $values
    }
}

Export-ModuleMember -Function '*'
