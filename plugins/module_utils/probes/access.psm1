# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Who can get into a host and with what: accounts, administrators, passwords, Remote Desktop, SMB, firewall, WinRM.
# Read here, understood in plugin_utils/windows_hosts. No password and no hash is read.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone, no variables of the module: the runner carries the
# definitions of functions into the runspaces of the probes.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.records

function Get-KeepwellAccessFacts {
    <#
    .SYNOPSIS
    Return the raw facts of access.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Parameters
    )
    $computer = Get-KeepwellRecord -Machine $Machine -Class 'Win32_ComputerSystem' -Source 'computer' -Property 'DomainRole', 'PartOfDomain'
    # 4 and 5: a domain controller has no accounts of its own.
    $controller = $null -ne $computer -and $computer.Count -gt 0 -and [int]$computer[0].DomainRole -ge 4
    $accounts = $null
    if (-not $controller) { $accounts = Get-KeepwellAccessAccount -Machine $Machine }
    $policies = 'SOFTWARE\Policies\Microsoft'
    return @{
        computer = $computer
        accounts = $accounts
        groups = @(Get-KeepwellAccessGroup -Machine $Machine)
        password_policy = if ($controller) { Get-KeepwellAccessDomainPolicy -Machine $Machine } else { Get-KeepwellAccessPasswordPolicy -Machine $Machine -Accounts $accounts }
        terminal_server = Get-KeepwellAccessValue -Machine $Machine -Key 'SYSTEM\CurrentControlSet\Control\Terminal Server' -Source 'remote desktop' -Name 'fDenyTSConnections'
        terminal_listener = Get-KeepwellAccessValue -Machine $Machine -Key 'SYSTEM\CurrentControlSet\Control\Terminal Server\WinStations\RDP-Tcp' -Source 'remote desktop' -Name 'UserAuthentication', 'SecurityLayer', 'PortNumber'
        terminal_policy = Get-KeepwellAccessValue -Machine $Machine -Key "$policies\Windows NT\Terminal Services" -Source 'remote desktop' -Name 'fDenyTSConnections', 'UserAuthentication'
        smb = Get-KeepwellAccessSmb -Machine $Machine
        firewall = Get-KeepwellAccessFirewall -Machine $Machine
        firewall_service = Get-KeepwellRecord -Machine $Machine -Class 'Win32_Service' -Filter "Name = 'MpsSvc' OR Name = 'sshd'" -Source 'services' -Property 'Name', 'State'
        firewall_products = Get-KeepwellRecord -Machine $Machine -Class 'FirewallProduct' -Namespace 'root/SecurityCenter2' -Source 'firewall products' -Property 'displayName', 'productState'
        laps_policy = Get-KeepwellAccessValue -Machine $Machine -Key 'SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\LAPS' -Source 'laps' -Name 'BackupDirectory'
        laps_csp = Get-KeepwellAccessValue -Machine $Machine -Key 'SOFTWARE\Microsoft\Policies\LAPS' -Source 'laps' -Name 'BackupDirectory'
        laps_local = Get-KeepwellAccessValue -Machine $Machine -Key 'SOFTWARE\Microsoft\Windows\CurrentVersion\LAPS\Config' -Source 'laps' -Name 'BackupDirectory'
        laps_legacy = Get-KeepwellAccessValue -Machine $Machine -Key "$policies Services\AdmPwd" -Source 'laps' -Name 'AdmPwdEnabled'
        winrm = Get-KeepwellAccessWinrm -Machine $Machine
        uac = Get-KeepwellAccessValue -Machine $Machine -Key 'SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System' -Source 'uac' -Name 'EnableLUA', 'ConsentPromptBehaviorAdmin'
        failed_logins = Get-KeepwellAccessFailed -Machine $Machine
    }
}

function Get-KeepwellAccessValue {
    <#
    .SYNOPSIS
    Return only these values of a registry key, those that are there; $null without the key.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [Parameter(Mandatory = $true)] [string] $Key,
        [Parameter(Mandatory = $true)] [string] $Source,
        [Parameter(Mandatory = $true)] [string[]] $Name
    )
    $values = Get-KeepwellRegistryValue -Machine $Machine -Key $Key -Source $Source
    if ($null -eq $values) {
        return $null
    }
    $found = @{}
    foreach ($wanted in $Name) {
        if ($values.ContainsKey($wanted)) { $found[$wanted] = $values[$wanted] }
    }
    return $found
}

function Get-KeepwellAccessAccount {
    <#
    .SYNOPSIS
    Return a record for each local account; $null when they cannot be read.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $users = @(Read-KeepwellList -Machine $Machine -Source 'accounts' -Read { Get-LocalUser })
    if ($Machine.sources['accounts'].status -ne 'ok') {
        return $null
    }
    $found = @($users | Where-Object -FilterScript { $_ } | Select-Object -First 500 | ForEach-Object -Process {
        ConvertTo-KeepwellRecord -InputObject $_ -Property 'Name', 'SID.Value', 'Enabled', 'PasswordRequired', 'PasswordLastSet', 'PasswordExpires', 'AccountExpires', 'LastLogon'
    })
    return , $found
}

function Get-KeepwellAccessGroup {
    <#
    .SYNOPSIS
    Return the members of the local groups with power over the host: sid, members (path, sid, class).
    .DESCRIPTION
    Get-LocalGroupMember ends at the first member whose account is gone; the directory interface lists it by its SID.
    Members are asked as what they are, COM objects: to bind one whose account is gone fails.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    # Administrators, Remote Desktop Users, Remote Management Users, Backup Operators, Hyper-V Administrators.
    foreach ($sid in @('S-1-5-32-544', 'S-1-5-32-555', 'S-1-5-32-580', 'S-1-5-32-551', 'S-1-5-32-578')) {
        Read-KeepwellList -Machine $Machine -Source "group $sid" -Read {
            $identifier = New-Object -TypeName System.Security.Principal.SecurityIdentifier -ArgumentList $sid
            $name = $identifier.Translate([System.Security.Principal.NTAccount]).Value.Split('\')[-1]
            $group = New-Object -TypeName System.DirectoryServices.DirectoryEntry -ArgumentList "WinNT://$env:COMPUTERNAME/$name,group"
            $members = @()
            foreach ($member in @($group.PSBase.Invoke('Members'))) {
                $kind = $member.GetType()
                $bytes = try { $kind.InvokeMember('objectSid', 'GetProperty', $null, $member, $null) } catch { $null }
                $members += @{
                    path = [string]$kind.InvokeMember('ADsPath', 'GetProperty', $null, $member, $null)
                    sid = if ($bytes) { [string](New-Object -TypeName System.Security.Principal.SecurityIdentifier -ArgumentList ([byte[]]$bytes), 0) } else { $null }
                    class = [string]$kind.InvokeMember('Class', 'GetProperty', $null, $member, $null)
                }
            }
            @{ sid = $sid; members = $members }
        }
    }
}

function Get-KeepwellAccessPasswordPolicy {
    <#
    .SYNOPSIS
    Return what the host demands of the passwords of its own accounts, times in seconds; $null: cannot be read.
    .DESCRIPTION
    Every account carries these rules; the built-in administrator, known by its number, is always there.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [AllowNull()] [object[]] $Accounts
    )
    $builtin = @($Accounts | Where-Object -FilterScript { $_ -and $_['SID.Value'] -like 'S-1-5-21-*-500' })
    if ($builtin.Count -eq 0) {
        return $null
    }
    $account = [string]$builtin[0].Name
    Read-KeepwellSource -Machine $Machine -Source 'password policy' -Read {
        $user = New-Object -TypeName System.DirectoryServices.DirectoryEntry -ArgumentList "WinNT://$env:COMPUTERNAME/$account,user"
        $found = @{}
        foreach ($name in @('MinPasswordLength', 'PasswordHistoryLength', 'MaxPasswordAge', 'MaxBadPasswordsAllowed', 'AutoUnlockInterval')) {
            $found[$name] = $user.PSBase.Properties[$name].Value
        }
        $found
    }
}

function Get-KeepwellAccessDomainPolicy {
    <#
    .SYNOPSIS
    Return what the domain of a controller demands of passwords, in the names that hosts have; $null: cannot be read.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    Read-KeepwellSource -Machine $Machine -Source 'password policy' -Read {
        $root = New-Object -TypeName System.DirectoryServices.DirectoryEntry -ArgumentList 'LDAP://RootDSE'
        $context = [string]$root.PSBase.Properties['defaultNamingContext'].Value
        $domain = New-Object -TypeName System.DirectoryServices.DirectoryEntry -ArgumentList "LDAP://$context"
        @{
            MinPasswordLength = $domain.PSBase.Properties['minPwdLength'].Value
            PasswordHistoryLength = $domain.PSBase.Properties['pwdHistoryLength'].Value
            MaxBadPasswordsAllowed = $domain.PSBase.Properties['lockoutThreshold'].Value
        }
    }
}

function Get-KeepwellAccessSmb {
    <#
    .SYNOPSIS
    Return whether the server and the client of SMB speak version 1; what cannot be read is $null.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $server = Read-KeepwellSource -Machine $Machine -Source 'smb server' -Read { Get-SmbServerConfiguration }
    $client = Get-KeepwellRegistryValue -Machine $Machine -Key 'SYSTEM\CurrentControlSet\Services\mrxsmb10' -Source 'smb client'
    return @{
        EnableSMB1Protocol = if ($null -ne $server) { [bool]$server.EnableSMB1Protocol } else { $null }
        # The driver of version 1: gone with the feature, 4 when it is switched off.
        ClientDriverStart = if ($null -ne $client) { $client['Start'] } else { $null }
    }
}

function Get-KeepwellAccessFirewall {
    <#
    .SYNOPSIS
    Return the firewall's profiles as they are in force, group policy included; $null: cannot be read.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $profiles = @(Read-KeepwellList -Machine $Machine -Source 'firewall' -Read { Get-NetFirewallProfile -PolicyStore 'ActiveStore' })
    if ($Machine.sources['firewall'].status -ne 'ok') {
        return $null
    }
    $found = @($profiles | Where-Object -FilterScript { $_ } | ForEach-Object -Process { ConvertTo-KeepwellRecord -InputObject $_ -Property 'Name', 'Enabled' })
    return , $found
}

function Get-KeepwellAccessWinrm {
    <#
    .SYNOPSIS
    Return WinRM's listeners and what its service lets in; what cannot be read is $null.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $key = 'SOFTWARE\Microsoft\Windows\CurrentVersion\WSMAN\Listener'
    $listeners = @(Get-KeepwellRegistryKey -Machine $Machine -Key $key -Source 'winrm listeners' | Where-Object -FilterScript { $_ } | ForEach-Object -Process {
        $values = Get-KeepwellAccessValue -Machine $Machine -Key "$key\$_" -Source 'winrm listeners' -Name 'Port', 'enabled'
        @{ name = [string]$_; values = $values }
    })
    $settings = Read-KeepwellSource -Machine $Machine -Source 'winrm service' -Read {
        Import-Module -Name 'Microsoft.WSMan.Management'
        @{
            AllowUnencrypted = [string](Get-Item -LiteralPath 'WSMan:\localhost\Service\AllowUnencrypted').Value
            Basic = [string](Get-Item -LiteralPath 'WSMan:\localhost\Service\Auth\Basic').Value
        }
    }
    return @{ listeners = $listeners; service = $settings }
}

function Get-KeepwellAccessFailed {
    <#
    .SYNOPSIS
    Return how many logins were refused in the last hour and from how many addresses; $null: the log cannot be read.
    .DESCRIPTION
    Neither names nor addresses are kept.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $cap = 600
    $events = @(Get-KeepwellEvent -Machine $Machine -Log 'Security' -Id 4625 -SinceS 3600 -Cap $cap -Source 'security log')
    if ($Machine.sources['security log'].status -ne 'ok') {
        return $null
    }
    $addresses = @($events | Where-Object -FilterScript { $_ } | ForEach-Object -Process { [string]$_.data['IpAddress'] } | Where-Object -FilterScript { $_ -and $_ -ne '-' } | Sort-Object -Unique)
    return @{ count = $events.Count; sources = $addresses.Count; at_least = $events.Count -ge $cap }
}

Export-ModuleMember -Function '*'
