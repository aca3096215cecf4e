# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The one entry to what the watch asks of a Windows host: is it up, what runs, is there room? As _agent.py elsewhere.
#
# A small part of what an assessment asks, in the same shape, so that the same readers and checks understand it.
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone, no variables of the module.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.answer
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.disks
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.records
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.runner
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.services
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.system

function Get-KeepwellWatchAgent {
    <#
    .SYNOPSIS
    Return the agent: see answer.psm1. It changes nothing and needs no administrator.
    #>
    [CmdletBinding()]
    param()
    return @{
        title = 'The watch'
        for_anyone = $true
        operations = @{
            look = { param($Request) Get-KeepwellBeat -Request $Request }
        }
        needed = @{
            look = @('parts', 'budget_s')
        }
        reading = @('look')
    }
}

function Get-KeepwellBeat {
    <#
    .SYNOPSIS
    Return an observation document of these parts: disks, services, system. parameters is what each of them is told.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Request
    )
    $parts = @{
        disks = @{ collect = 'Get-KeepwellRoomFacts'; limit_s = 8 }
        services = @{ collect = 'Get-KeepwellWatchedFacts'; limit_s = 8 }
        system = @{ collect = 'Get-KeepwellStartFacts'; limit_s = 5 }
    }
    $chosen = @{}
    foreach ($name in @(ConvertTo-KeepwellText -Values $Request['parts'])) {
        if (-not $parts.ContainsKey($name)) {
            Stop-KeepwellRequest -Code 'bad_request' -Text 'The watch does not understand this request.'
        }
        $chosen[$name] = $parts[$name]
    }
    $parameters = if ($Request['parameters']) { $Request['parameters'] } else { @{} }
    return Get-KeepwellObservation -Probes $chosen -Parameters $parameters -BudgetS $Request['budget_s']
}

function Get-KeepwellRoomFacts {
    <#
    .SYNOPSIS
    Return how full the volumes are, as the probe of disks has them.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Parameters
    )
    return @{ volumes = Get-KeepwellDisksVolume -Machine $Machine }
}

function Get-KeepwellWatchedFacts {
    <#
    .SYNOPSIS
    Return the watched services, as the probe of services has them.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Parameters
    )
    $watched = @(ConvertTo-KeepwellText -Values $Parameters['watched'])
    $services = @{}
    if ($watched.Count -gt 0) {
        $services = Get-KeepwellServiceState -Machine $Machine -Names $watched
    }
    if ($null -eq $services) {
        $source = $Machine.sources['services']
        Stop-KeepwellProbe -Status ([string]$source.status) -Detail "the service manager gave no list: $($source.detail)"
    }
    return @{ services = $services; watched = $watched }
}

function Get-KeepwellStartFacts {
    <#
    .SYNOPSIS
    Return the last starts of Windows, as the probe of the system has them.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Parameters
    )
    return @{ boot = @{ starts = @(Get-KeepwellBootStart -Machine $Machine) } }
}

Export-ModuleMember -Function '*'
