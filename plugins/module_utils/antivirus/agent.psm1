# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The one entry to everything that antivirus work asks of a Windows host: the operations of _agent.py.
#
# Runs on managed hosts: Windows PowerShell 5.1.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.antivirus.defender
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.antivirus.care

function Get-KeepwellAntivirusAgent {
    <#
    .SYNOPSIS
    The agent of antivirus work; see answer.psm1.
    #>
    [CmdletBinding()]
    param()
    return @{
        title = 'Antivirus work'
        operations = @{
            look = { param($Asked) Get-KeepwellAntivirusLook -Asked $Asked }
        }
        needed = @{}
        reading = @('look')
    }
}

function Get-KeepwellAntivirusLook {
    <#
    .SYNOPSIS
    What the work would meet: Defender, other engines, a service that is down, what Defender's record has of detections.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Asked)
    $defender = Get-KeepwellDefenderState
    $others = @(Get-KeepwellDefenderRival)
    $detections = $null
    if ($null -ne $defender) {
        $detections = Get-KeepwellDefenderDetection
    }
    return @{
        system = 'windows'
        engines = @{ clamav = $null; mdatp = $false; defender = $defender }
        others = $others
        stopped = Get-KeepwellStoppedDefender -Defender $defender -Others $others
        detections = $detections
        # Defender keeps what it moved, and what became of what it found: nothing of that is Keepwell's.
        quarantined = @()
        open = @()
        ledger = ''
        lock = ''
        targets = $null
    }
}

Export-ModuleMember -Function @(
    'Get-KeepwellAntivirusAgent',
    'Get-KeepwellAntivirusLook'
)
