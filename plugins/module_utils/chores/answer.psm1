# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# How the agent of a chore answers whatever the control node asks of a Windows host: as _answer.py does elsewhere.
#
# A chore's agent.psm1 exports Get-Keepwell<Chore>Agent, which returns a hashtable:
#   title       how the chore begins a sentence
#   operations  name -> script block with one parameter, the request; it returns a hashtable
#   needed      name -> names of the fields that the request must have
#   reading     names of the operations that change nothing
#   for_anyone  $true where no operation needs an administrator
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone, no variables of the module: work that outlives its
# connection takes along the definitions of functions.

function Stop-KeepwellRequest {
    <#
    .SYNOPSIS
    Refuse a request: the answer is {"error": Code, "text": Text}.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Code,
        [Parameter(Mandatory = $true)] [string] $Text
    )
    $refused = New-Object -TypeName System.InvalidOperationException -ArgumentList $Text
    $refused.Data['keepwell_code'] = $Code
    throw $refused
}

function Get-KeepwellAnswer {
    <#
    .SYNOPSIS
    Return what the operation returns, or {"error": stable word, "text": one sentence}.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Agent,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Request
    )
    $name = [string]$Request['operation']
    if (-not $Agent.operations.ContainsKey($name)) {
        return @{ error = 'bad_request'; text = "Unknown operation '$name'." }
    }
    $lacking = @($Agent.needed[$name] | Where-Object -FilterScript { $_ -and -not $Request.ContainsKey($_) })
    if ($lacking.Count -gt 0) {
        return @{ error = 'bad_request'; text = "The request lacks $($lacking -join ', ')." }
    }
    $user = [System.Security.Principal.WindowsIdentity]::GetCurrent()
    $principal = New-Object -TypeName System.Security.Principal.WindowsPrincipal -ArgumentList $user
    if (-not $Agent.for_anyone -and -not $principal.IsInRole([System.Security.Principal.WindowsBuiltInRole]::Administrator)) {
        return @{ error = 'needs_root'; text = "$($Agent.title) needs an administrator on the host." }
    }
    try {
        $operation = $Agent.operations[$name]
        return & $operation $Request
    }
    catch {
        $code = $_.Exception.Data['keepwell_code']
        if ($code) {
            return @{ error = [string]$code; text = $_.Exception.Message }
        }
        $kind = $_.Exception.GetType().Name
        return @{ error = 'internal'; text = "The program on the host failed: ${kind}: $($_.Exception.Message)" }
    }
}

Export-ModuleMember -Function Get-KeepwellAnswer, Stop-KeepwellRequest
