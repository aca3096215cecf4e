#!powershell

# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

#AnsibleRequires -CSharpUtil Ansible.Basic
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.runner

$spec = @{
    options = @{
        subset = @{ type = 'list'; elements = 'str'; default = @('all') }
        parameters = @{ type = 'dict'; default = @{} }
        budget_s = @{ type = 'float'; default = 45.0 }
        again = @{ type = 'bool'; default = $false }
        once = @{ type = 'bool'; default = $false }
    }
    supports_check_mode = $true
}
$module = [Ansible.Basic.AnsibleModule]::Create($args, $spec)

# The probes by the names that those in Python have: the function that collects, and the seconds that it may take.
$probes = @{
}

try {
    $chosen = Select-KeepwellProbe -Probes $probes -Subset $module.Params.subset
}
catch {
    $module.FailJson($_.Exception.Message)
}
$module.Result.observation = Get-KeepwellObservation -Probes $chosen -Parameters $module.Params.parameters -BudgetS $module.Params.budget_s
$module.Result.changed = $false
$module.ExitJson()
