# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine

# What Windows Update offers, right before the work. A search alone: nothing is accepted, fetched or installed.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone, no variables of the module.

function Find-KeepwellOffer {
    <#
    .SYNOPSIS
    Return the result of a search: of what the agent knows, or with -Online of what its source says now.
    #>
    [CmdletBinding()]
    param(
        [switch] $Online
    )
    $session = New-Object -ComObject Microsoft.Update.Session
    $session.ClientApplicationID = 'Keepwell'
    $searcher = $session.CreateUpdateSearcher()
    $searcher.Online = [bool]$Online
    return $searcher.Search('IsInstalled = 0')
}

function Get-KeepwellOfferChange {
    <#
    .SYNOPSIS
    Return in words what is other than announced: an update that is gone, hidden, revised, or wants its licence accepted.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [AllowEmptyCollection()] [object[]] $Moves,
        [Parameter(Mandatory = $true)] [bool] $Licences
    )
    $offered = @{}
    $found = Find-KeepwellOffer
    foreach ($update in @($found.Updates)) {
        $offered[[string]$update.Identity.UpdateID] = $update
    }
    $lines = @()
    foreach ($move in $Moves) {
        $update = $offered[[string]$move.update_id]
        if ($null -eq $update) {
            $lines += "$($move.name) is not offered any more"
        }
        elseif ($update.IsHidden) {
            $lines += "$($move.name) is hidden by now"
        }
        elseif ([int]$update.Identity.RevisionNumber -ne [int]$move.revision) {
            $lines += "$($move.name) is revision $($update.Identity.RevisionNumber) instead of $($move.revision)"
        }
        elseif (-not $Licences -and -not $update.EulaAccepted) {
            $lines += "nobody has accepted the licence terms of $($move.name)"
        }
    }
    return $lines -join '; '
}

function Update-KeepwellOffer {
    <#
    .SYNOPSIS
    Let the agent ask its source: @{ rc; errors }, errors with their HRESULT in eight digits.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Request
    )
    $null = $Request
    $errors = @()
    try {
        $found = Find-KeepwellOffer -Online
        for ($place = 0; $place -lt $found.Warnings.Count; $place += 1) {
            $errors += '0x{0:x8}' -f $found.Warnings.Item($place).HResult
        }
        # 2 succeeded, 3 with warnings.
        if (@(2, 3) -notcontains [int]$found.ResultCode -and $errors.Count -eq 0) {
            $errors += "the search ended with result $([int]$found.ResultCode)"
        }
    }
    catch {
        # The outermost exception may be PowerShell's own, with a code that says nothing.
        $errors += '0x' + (Get-KeepwellFailure -ErrorRecord $_).code.ToLowerInvariant()
    }
    return @{ rc = [int]($errors.Count -gt 0); errors = $errors }
}

Export-ModuleMember -Function Find-KeepwellOffer, Get-KeepwellOfferChange, Update-KeepwellOffer
