# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.patching.boot
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.patching.look
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.patching.notes
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.patching.offers
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.patching.user_probes

# Everything that patching asks of a Windows host: what _agent.py is elsewhere.
#
# What installs is ansible.windows.win_updates, called by the control node: it runs as a task of SYSTEM, which may do
# what a remote session may not. This looks, says whether it may begin, and remembers that it did.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone, no variables of the module.

function Get-KeepwellPatchingAgent {
    <#
    .SYNOPSIS
    Return the agent: see answer.psm1.
    #>
    [CmdletBinding()]
    param()
    return @{
        title = 'Patching'
        operations = @{
            look = { param($Request) Get-KeepwellPatchingLook -Request $Request }
            boot = { param($Request) Get-KeepwellBootState -Request $Request }
            probes = { param($Request) Get-KeepwellUserProbe -Request $Request }
            unfinished = { param($Request) Get-KeepwellUnfinishedRound -Request $Request }
            status = { param($Request) Get-KeepwellRoundStatus -Request $Request }
            start = { param($Request) Start-KeepwellRound -Request $Request }
            recorded = { param($Request) Set-KeepwellRoundRecorded -Request $Request }
            clean = { param($Request) Clear-KeepwellRound -Request $Request }
            refresh = { param($Request) Update-KeepwellOffer -Request $Request }
        }
        needed = @{
            probes = @('probes')
            status = @('id')
            start = @('id', 'run_id', 'client', 'host', 'plan_hash', 'moves', 'licences', 'runtime_s', 'reserve_bytes')
            recorded = @('id')
            clean = @('keep_days')
        }
        reading = @('look', 'status', 'boot', 'probes', 'unfinished')
    }
}

Export-ModuleMember -Function Get-KeepwellPatchingAgent
