#!powershell

# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

#AnsibleRequires -CSharpUtil Ansible.Basic
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.answer
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.antivirus.agent
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification.agent
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup.agent
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.patching.agent
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.watch.agent

$spec = @{
    options = @{
        chore = @{ type = 'str'; required = $true; choices = 'antivirus', 'backup_verification', 'disk_cleanup', 'patching', 'watch' }
        request = @{ type = 'dict'; required = $true }
        secrets = @{ type = 'dict'; default = @{}; no_log = $true }
    }
    supports_check_mode = $true
    # Ansible.Basic hides the text of an option, and not what is in a dict: it would go into the event log as it is.
    no_log = $true
}
$module = [Ansible.Basic.AnsibleModule]::Create($args, $spec)
# For the same reason the answer says nothing of what was asked.
$module.Result.invocation = @{ module_args = @{ chore = $module.Params.chore } }

# What every chore brings: see answer.psm1.
$agents = @{
    antivirus = { Get-KeepwellAntivirusAgent }
    backup_verification = { Get-KeepwellBackupVerificationAgent }
    disk_cleanup = { Get-KeepwellDiskCleanupAgent }
    patching = { Get-KeepwellPatchingAgent }
    watch = { Get-KeepwellWatchAgent }
}

$chore = $module.Params.chore
$request = $module.Params.request
if ($module.Params.secrets.Count -gt 0) {
    $request['secrets'] = $module.Params.secrets
}
$agent = & $agents[$chore]
$reads = $agent.reading -contains $request['operation']
if ($module.CheckMode -and -not $reads) {
    $module.FailJson("$($request['operation']) changes the host, and this is check mode.")
}
$module.Result.answer = Get-KeepwellAnswer -Agent $agent -Request $request
$module.Result.changed = -not $reads
$module.ExitJson()
