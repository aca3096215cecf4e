# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Ask what the client says must answer before and after a change, from the host itself: as _user_probes.py elsewhere.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone, no variables of the module.

function Get-KeepwellUserProbe {
    <#
    .SYNOPSIS
    Return @{ probes = @{ name = @{ ok; text } } }; one thing each: tcp, http or command.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Request
    )
    $answers = @{}
    foreach ($probe in @($Request['probes'])) {
        try {
            if ($probe['tcp']) {
                $answer = Test-KeepwellPort -Place $probe['tcp']
            }
            elseif ($probe['http']) {
                $answer = Test-KeepwellPage -Url $probe['http'] -Status ([int]$probe['status']) -Contains ([string]$probe['contains'])
            }
            else {
                $answer = Test-KeepwellCommand -Line @($probe['command'])
            }
        }
        catch {
            $answer = @{ ok = $false; text = "no answer: $($_.Exception.Message)" }
        }
        $line = ($answer.text -replace '\s+', ' ').Trim()
        $answer.text = $line.Substring(0, [System.Math]::Min(200, $line.Length))
        $answers[[string]$probe['name']] = $answer
    }
    return @{ probes = $answers }
}

function Test-KeepwellPort {
    <#
    .SYNOPSIS
    Return whether host:port takes connections.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Place
    )
    $split = $Place.LastIndexOf(':')
    $name = $Place.Substring(0, $split).Trim('[', ']')
    $client = New-Object -TypeName System.Net.Sockets.TcpClient
    try {
        $asked = $client.ConnectAsync($name, [int]$Place.Substring($split + 1))
        if (-not $asked.Wait(10000)) {
            return @{ ok = $false; text = 'no answer in time' }
        }
        return @{ ok = $true; text = "$Place takes connections" }
    }
    finally {
        $client.Dispose()
    }
}

function Test-KeepwellPage {
    <#
    .SYNOPSIS
    Return whether a page answers as it should; without a status any good answer will do. Certificates are checked.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Url,
        [int] $Status = 0,
        [string] $Contains = ''
    )
    [System.Net.ServicePointManager]::SecurityProtocol = [System.Net.SecurityProtocolType]::Tls12
    $asking = [System.Net.WebRequest]::Create($Url)
    $asking.Proxy = $null
    $asking.Timeout = 10000
    $asking.UserAgent = 'Keepwell'
    try {
        $answer = $asking.GetResponse()
    }
    catch {
        $answer = $_.Exception.InnerException.Response
        if ($null -eq $answer) { throw }
    }
    try {
        $code = [int]$answer.StatusCode
        $good = if ($Status) { $code -eq $Status } else { $code -lt 400 }
        if (-not $good) {
            $instead = if ($Status) { " instead of $Status" } else { '' }
            return @{ ok = $false; text = "status $code$instead" }
        }
        if ($Contains) {
            $reader = New-Object -TypeName System.IO.StreamReader -ArgumentList $answer.GetResponseStream()
            $buffer = New-Object -TypeName 'char[]' -ArgumentList 1048576
            $count = $reader.ReadBlock($buffer, 0, $buffer.Length)
            $body = -join $buffer[0..([System.Math]::Max(0, $count - 1))]
            if (-not $body.Contains($Contains)) {
                return @{ ok = $false; text = "status $code, and '$Contains' is not in the answer" }
            }
        }
        return @{ ok = $true; text = "status $code" }
    }
    finally {
        $answer.Close()
    }
}

function Test-KeepwellCommand {
    <#
    .SYNOPSIS
    Return whether a program ends with 0 within 30 seconds; it is started as it is, without a shell.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [AllowEmptyString()] [string[]] $Line
    )
    $start = New-Object -TypeName System.Diagnostics.ProcessStartInfo
    $start.FileName = $Line[0]
    # As CommandLineToArgvW reads it back: a backslash counts double before a quotation mark.
    $rest = @()
    foreach ($word in @($Line | Select-Object -Skip 1)) {
        $rest += '"' + (($word -replace '(\\*)"', '$1$1\"') -replace '(\\+)$', '$1$1') + '"'
    }
    $start.Arguments = $rest -join ' '
    $start.UseShellExecute = $false
    $start.CreateNoWindow = $true
    $process = [System.Diagnostics.Process]::Start($start)
    try {
        if (-not $process.WaitForExit(30000)) {
            $process.Kill()
            return @{ ok = $false; text = 'no answer in time' }
        }
        return @{ ok = ($process.ExitCode -eq 0); text = "return code $($process.ExitCode)" }
    }
    finally {
        $process.Dispose()
    }
}

Export-ModuleMember -Function Get-KeepwellUserProbe, Test-KeepwellCommand, Test-KeepwellPage, Test-KeepwellPort
