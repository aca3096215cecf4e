#!powershell

# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

#AnsibleRequires -CSharpUtil Ansible.Basic
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.access
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.antivirus
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.backups
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.certificates
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.disks
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.hardware
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.network
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.packages
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.pressure
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.records
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.runner
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.services
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.system
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.timesync
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.updates

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
    access = @{ collect = 'Get-KeepwellAccessFacts'; limit_s = 12 }
    antivirus = @{ collect = 'Get-KeepwellAntivirusFacts'; limit_s = 20 }
    backups = @{ collect = 'Get-KeepwellBackupsFacts'; limit_s = 15 }
    certificates = @{ collect = 'Get-KeepwellCertificatesFacts'; limit_s = 12 }
    disks = @{ collect = 'Get-KeepwellDisksFacts'; limit_s = 15 }
    hardware = @{ collect = 'Get-KeepwellHardwareFacts'; limit_s = 18 }
    network = @{ collect = 'Get-KeepwellNetworkFacts'; limit_s = 12 }
    packages = @{ collect = 'Get-KeepwellPackagesFacts'; limit_s = 40 }
    pressure = @{ collect = 'Get-KeepwellPressureFacts'; limit_s = 12 }
    services = @{ collect = 'Get-KeepwellServicesFacts'; limit_s = 20 }
    system = @{ collect = 'Get-KeepwellSystemFacts'; limit_s = 20 }
    timesync = @{ collect = 'Get-KeepwellTimesyncFacts'; limit_s = 15 }
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
