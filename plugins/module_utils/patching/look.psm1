# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.jobs
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.rounds
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.patching.boot
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.patching.notes
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.patching.space
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine

# Everything that has to be known before a Windows host is patched or rebooted. Changes nothing.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone, no variables of the module.

function Get-KeepwellPatchingLook {
    <#
    .SYNOPSIS
    Return the host as patching has to know it: the keys of _look.py that mean something here, and roles and cluster.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Request
    )
    $machine = New-KeepwellMachine -LimitS 60
    $unfinished = Get-KeepwellUnfinishedRound -Request $Request
    $holder = Get-KeepwellBusy
    $space = Get-KeepwellSystemSpace -Machine $machine
    $locks = @(Get-KeepwellInstaller -Machine $machine)
    $roles = @(Get-KeepwellHostRole -Machine $machine)
    return @{
        manager = 'wua'
        refused = Get-KeepwellRefusal -Machine $machine
        state = Get-KeepwellImageState -Machine $machine
        locks = $locks
        space = @($space | Where-Object -FilterScript { $null -ne $_ })
        users = Get-KeepwellSignedIn -Machine $machine
        fsck_pending = Test-KeepwellDiskCheckDue -Machine $machine
        luks_at_boot = @(Get-KeepwellPassphraseVolume -Machine $machine)
        roles = $roles
        cluster = Get-KeepwellClusterNode -Machine $machine
        keepwell_lock = @{ held = [bool]$holder; holder = $holder }
        transactions = @($unfinished.transactions)
        boot = Get-KeepwellBootState -Request $Request
    }
}

function Get-KeepwellRefusal {
    <#
    .SYNOPSIS
    Return why this host cannot be patched at all, an empty text when it can. Asked after what it looks back on.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $setup = Get-KeepwellRegistryValue -Machine $Machine -Key 'SYSTEM\Setup'
    if ($null -ne $setup -and $setup['SystemSetupInProgress'] -eq 1) {
        return 'Windows Setup is at work on this host'
    }
    $agent = Get-KeepwellRegistryValue -Machine $Machine -Key 'SYSTEM\CurrentControlSet\Services\wuauserv'
    if ($null -ne $agent -and $agent['Start'] -eq 4) {
        return 'the Windows Update service (wuauserv) is disabled'
    }
    # Nothing found is only good where somebody could look.
    foreach ($name in @('servicing', 'Windows Installer', 'computer', 'roles')) {
        $told = $Machine.sources[$name]
        if ($null -eq $told -or $told.status -ne 'ok') {
            return "what is at work on this host, and what depends on it, cannot be seen ($name)"
        }
    }
    return ''
}

function Get-KeepwellImageState {
    <#
    .SYNOPSIS
    Return @{ clean; problems } of the component store, by what Windows noted of it; nothing is scanned.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $health = Read-KeepwellSource -Machine $Machine -Source 'component store' -Read {
        [string](Repair-WindowsImage -Online -CheckHealth -ErrorAction Stop).ImageHealthState
    }
    if ($null -eq $health) {
        return @{ clean = $false; problems = @("the component store could not be looked at: $($Machine.sources['component store'].detail)") }
    }
    if ($health -eq 'Healthy') {
        return @{ clean = $true; problems = @() }
    }
    return @{ clean = $false; problems = @("the component store is damaged ($health)") }
}

function Get-KeepwellSignedIn {
    <#
    .SYNOPSIS
    Return @{ user; tty; from } of everybody with a desktop, $null when nobody can say.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    # Windows keeps logon sessions of people who left; their desktops are gone.
    $filter = "SessionId > 0 AND (Name = 'explorer.exe' OR Name = 'rdpclip.exe' OR Name = 'sihost.exe')"
    $desktops = @(Get-KeepwellInstance -Machine $Machine -Class Win32_Process -Filter $filter -Source 'desktops')
    if ($Machine.sources['desktops'].status -ne 'ok') {
        return $null
    }
    $users = @{}
    foreach ($process in $desktops) {
        if ($null -eq $process -or $users.ContainsKey([string]$process.SessionId)) { continue }
        $owner = Read-KeepwellSource -Machine $Machine -Source 'owners' -Read {
            Invoke-CimMethod -InputObject $process -MethodName GetOwner -ErrorAction Stop
        }
        $name = if ($null -ne $owner -and $owner.User) { [string]$owner.User } else { 'somebody' }
        $users[[string]$process.SessionId] = @{ user = $name; tty = "session $($process.SessionId)"; from = '' }
    }
    return , @($users.Values)
}

function Test-KeepwellDiskCheckDue {
    <#
    .SYNOPSIS
    Return $true when a check of a disk is set for the next boot.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $manager = Get-KeepwellRegistryValue -Machine $Machine -Key 'SYSTEM\CurrentControlSet\Control\Session Manager'
    if ($null -eq $manager) {
        return $false
    }
    return @(@($manager['BootExecute']) | Where-Object -FilterScript { $_ -like 'autocheck autochk *\??\*' }).Count -gt 0
}

function Get-KeepwellPassphraseVolume {
    <#
    .SYNOPSIS
    Return the letters of protected volumes for which somebody has to type or plug in something at boot.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $space = 'root/cimv2/Security/MicrosoftVolumeEncryption'
    $filter = 'ProtectionStatus = 1'
    $volumes = @(
        Get-KeepwellInstance -Machine $Machine -Class Win32_EncryptableVolume -Namespace $space -Filter $filter -Source 'BitLocker'
    )
    foreach ($volume in $volumes) {
        if ($null -eq $volume -or [string]$volume.DriveLetter -ne [string]$env:SystemDrive) { continue }
        # 4 TPM and PIN, 5 TPM and startup key, 6 all three, 8 passphrase; 1 is the TPM alone, which asks nobody.
        $found = Read-KeepwellSource -Machine $Machine -Source 'BitLocker protectors' -Read {
            foreach ($kind in @(4, 5, 6, 8)) {
                $wanted = @{ KeyProtectorType = [uint32]$kind }
                $answer = Invoke-CimMethod -InputObject $volume -MethodName GetKeyProtectors -Arguments $wanted -ErrorAction Stop
                if (@($answer.VolumeKeyProtectorID | Where-Object -FilterScript { $_ }).Count -gt 0) { $kind }
            }
        }
        if (@($found | Where-Object -FilterScript { $_ }).Count -gt 0) { [string]$volume.DriveLetter }
    }
}

function Get-KeepwellHostRole {
    <#
    .SYNOPSIS
    Return what others depend on here: domain_controller, sql_server, exchange, exchange_dag, failover_cluster, hyper_v.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $computer = @(Get-KeepwellInstance -Machine $Machine -Class Win32_ComputerSystem -Property DomainRole -Source 'computer') | Select-Object -First 1
    # 4 backup and 5 primary domain controller.
    if ($null -ne $computer -and [int]$computer.DomainRole -ge 4) { 'domain_controller' }
    $filter = "State = 'Running' AND (Name = 'ClusSvc' OR Name = 'MSExchangeIS' OR Name = 'vmms' OR Name LIKE 'MSSQL%')"
    $services = @(Get-KeepwellInstance -Machine $Machine -Class Win32_Service -Filter $filter -Property Name -Source 'roles')
    $names = @($services | Where-Object -FilterScript { $null -ne $_ } | ForEach-Object -Process { [string]$_.Name })
    if (@($names | Where-Object -FilterScript { $_ -eq 'MSSQLSERVER' -or $_ -like 'MSSQL$*' }).Count -gt 0) { 'sql_server' }
    $clustered = $names -contains 'ClusSvc'
    $exchange = $names -contains 'MSExchangeIS'
    if ($exchange) { 'exchange' }
    if ($exchange -and $clustered) { 'exchange_dag' }
    if ($clustered -and -not $exchange) { 'failover_cluster' }
    if ($names -contains 'vmms') { 'hyper_v' }
}

function Get-KeepwellClusterNode {
    <#
    .SYNOPSIS
    Return @{ state } of this node of a failover cluster: up, paused, joining, down; $null when there is no cluster.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $filter = "Name = '$([string]$env:COMPUTERNAME)'"
    $node = @(
        Get-KeepwellInstance -Machine $Machine -Class MSCluster_Node -Namespace 'root/MSCluster' -Filter $filter -Source 'cluster'
    ) | Select-Object -First 1
    if ($null -eq $node) {
        return $null
    }
    $names = @{ 0 = 'up'; 1 = 'down'; 2 = 'paused'; 3 = 'joining' }
    return @{ state = [string]$names[[int]$node.State] }
}

Export-ModuleMember -Function @(
    'Get-KeepwellClusterNode'
    'Get-KeepwellHostRole'
    'Get-KeepwellImageState'
    'Get-KeepwellPassphraseVolume'
    'Get-KeepwellPatchingLook'
    'Get-KeepwellRefusal'
    'Get-KeepwellSignedIn'
    'Test-KeepwellDiskCheckDue'
)
