# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The certificates of a host: in the stores of the machine, as services are told to use them, and as ports show them.
# Read here, understood in plugin_utils/windows_hosts. A private key is never opened; that there is one is all that is
# asked.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone, no variables of the module: the runner carries the
# definitions of functions into the runspaces of the probes.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.records

function Get-KeepwellCertificatesFacts {
    <#
    .SYNOPSIS
    Return the raw facts of certificates: stored, bound, served (DER in base64), and tasks that renew them.
    .DESCRIPTION
    Parameters: ports (more TLS ports), names (more server names to ask for).
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Parameters
    )
    $listeners = Get-KeepwellRecord -Machine $Machine -Class 'MSFT_NetTCPConnection' -Namespace 'root/StandardCimv2' -Filter 'State = 2' -Source 'listeners' -Property 'LocalAddress', 'LocalPort'
    # A store that is opened is made where it is not there: only those that are there are opened.
    $there = @(Get-KeepwellRegistryKey -Machine $Machine -Key 'SOFTWARE\Microsoft\SystemCertificates' -Source 'stores')
    $stored = @(@('My', 'WebHosting', 'Remote Desktop') | Where-Object -FilterScript { $_ -eq 'My' -or $there -contains $_ } | ForEach-Object -Process { Get-KeepwellCertificatesStore -Machine $Machine -Name $_ })
    $ports = @(443, 8443, 465, 993, 995, 636, 3269, 5986) + @($Parameters['ports'] | Where-Object -FilterScript { $_ } | ForEach-Object -Process { [int]$_ })
    return @{
        stored = if ($Machine.sources['store My'].status -eq 'ok') { , $stored } else { $null }
        bindings = @(Get-KeepwellCertificatesBinding -Machine $Machine)
        listening = if ($null -eq $listeners) { $null } else { , @($listeners | Where-Object -FilterScript { $ports -contains [int]$_.LocalPort }) }
        served = @(Get-KeepwellCertificatesServed -Machine $Machine -Listeners $listeners -Ports $ports -Names @($Parameters['names'] | Where-Object -FilterScript { $_ }))
        renewal_tasks = Get-KeepwellTaskRecord -Machine $Machine -Pattern 'wacs\.exe|letsencrypt\.exe|certify\.exe|posh-acme|submit-renewal'
    }
}

function Get-KeepwellCertificatesStore {
    <#
    .SYNOPSIS
    Return the certificates of a store of the machine.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [Parameter(Mandatory = $true)] [string] $Name
    )
    Read-KeepwellList -Machine $Machine -Source "store $Name" -Read {
        $store = New-Object -TypeName System.Security.Cryptography.X509Certificates.X509Store -ArgumentList $Name, 'LocalMachine'
        $store.Open([System.Security.Cryptography.X509Certificates.OpenFlags]::ReadOnly)
        try {
            foreach ($certificate in @($store.Certificates | Select-Object -First 200)) {
                $usage = @($certificate.Extensions | Where-Object -FilterScript { $_.Oid.Value -eq '2.5.29.37' } | ForEach-Object -Process { $_.EnhancedKeyUsages } | ForEach-Object -Process { [string]$_.Value })
                @{
                    store = $Name
                    thumbprint = [string]$certificate.Thumbprint
                    has_key = [bool]$certificate.HasPrivateKey
                    usage = $usage
                    der = [System.Convert]::ToBase64String($certificate.RawData)
                }
            }
        }
        finally {
            $store.Close()
        }
    }
}

function Get-KeepwellCertificatesBinding {
    <#
    .SYNOPSIS
    Return who is told to use which certificate: by (http, rdp, winrm, mssql), name, thumbprint, store, app.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $http = 'SYSTEM\CurrentControlSet\Services\HTTP\Parameters'
    foreach ($place in @('SslBindingInfo', 'SslSniBindingInfo')) {
        foreach ($name in @(Get-KeepwellRegistryKey -Machine $Machine -Key "$http\$place" -Source 'http bindings')) {
            $values = Get-KeepwellRegistryValue -Machine $Machine -Key "$http\$place\$name" -Source 'http bindings'
            if ($values -and $values['SslCertHash']) {
                $app = $null
                if ($values['AppId'] -is [byte[]] -and $values['AppId'].Length -eq 16) {
                    $app = [string](New-Object -TypeName System.Guid -ArgumentList (, [byte[]]$values['AppId']))
                }
                @{
                    by = 'http'
                    name = $name
                    thumbprint = ([System.BitConverter]::ToString([byte[]]$values['SslCertHash']) -replace '-', '')
                    store = [string]$values['SslCertStoreName']
                    app = $app
                }
            }
        }
    }
    foreach ($setting in @(Get-KeepwellInstance -Machine $Machine -Class 'Win32_TSGeneralSetting' -Namespace 'root/cimv2/TerminalServices' -Source 'remote desktop')) {
        if ($setting.SSLCertificateSHA1Hash) {
            @{ by = 'rdp'; name = [string]$setting.TerminalName; thumbprint = [string]$setting.SSLCertificateSHA1Hash; store = ''; app = $null }
        }
    }
    $winrm = 'SOFTWARE\Microsoft\Windows\CurrentVersion\WSMAN\Listener'
    foreach ($name in @(Get-KeepwellRegistryKey -Machine $Machine -Key $winrm -Source 'winrm listeners')) {
        $values = Get-KeepwellRegistryValue -Machine $Machine -Key "$winrm\$name" -Source 'winrm listeners'
        if ($values -and $values['certThumbprint']) {
            @{ by = 'winrm'; name = $name; thumbprint = ([string]$values['certThumbprint'] -replace ' ', ''); store = 'My'; app = $null }
        }
    }
    $sql = 'SOFTWARE\Microsoft\Microsoft SQL Server'
    $instances = Get-KeepwellRegistryValue -Machine $Machine -Key "$sql\Instance Names\SQL" -Source 'sql server'
    foreach ($instance in @($instances.Values | Where-Object -FilterScript { $_ })) {
        $values = Get-KeepwellRegistryValue -Machine $Machine -Key "$sql\$instance\MSSQLServer\SuperSocketNetLib" -Source 'sql server'
        if ($values -and $values['Certificate']) {
            @{ by = 'mssql'; name = [string]$instance; thumbprint = [string]$values['Certificate']; store = 'My'; app = $null }
        }
    }
}

function Get-KeepwellCertificatesServed {
    <#
    .SYNOPSIS
    Ask every TLS port that is open for its certificate, once without a name and once for each name.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [AllowNull()] [object[]] $Listeners,
        [Parameter(Mandatory = $true)] [int[]] $Ports,
        [AllowEmptyCollection()] [string[]] $Names = @()
    )
    $asked = @{}
    foreach ($listener in @($Listeners | Where-Object -FilterScript { $_ })) {
        $port = [int]$listener.LocalPort
        if ($Ports -notcontains $port) { continue }
        $address = [string]$listener.LocalAddress
        if ($address -eq '0.0.0.0') { $address = '127.0.0.1' }
        if ($address -eq '::') { $address = '::1' }
        foreach ($name in @('') + $Names) {
            $key = "$address $port $name"
            if ($asked.ContainsKey($key) -or (Get-KeepwellTimeLeft -Machine $Machine) -lt 2.5) { continue }
            $asked[$key] = $true
            Get-KeepwellCertificatesPeer -Address $address -Port $port -Name $name
        }
    }
}

function Get-KeepwellCertificatesPeer {
    <#
    .SYNOPSIS
    Return what a port shows: address, port, name, status (ok, refused, timeout, error), detail, protocol, der.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Address,
        [Parameter(Mandatory = $true)] [int] $Port,
        [AllowEmptyString()] [string] $Name = ''
    )
    $answer = @{ address = $Address; port = $Port; name = $Name; status = 'timeout'; detail = ''; protocol = $null; der = $null }
    $server = [System.Net.IPAddress]::Parse($Address)
    $client = New-Object -TypeName System.Net.Sockets.TcpClient -ArgumentList $server.AddressFamily
    $secured = $null
    try {
        $handle = $client.BeginConnect($server, $Port, $null, $null)
        if (-not $handle.AsyncWaitHandle.WaitOne(1500)) {
            return $answer
        }
        $client.EndConnect($handle)
        $client.ReceiveTimeout = 1500
        $client.SendTimeout = 1500
        # Whatever it shows is taken: it is judged on the control node, and nothing is sent to it.
        $accept = [System.Net.Security.RemoteCertificateValidationCallback] { $true }
        $stream = $client.GetStream()
        $secured = New-Object -TypeName System.Net.Security.SslStream -ArgumentList $stream, $false, $accept
        $asked = if ($Name) { $Name } else { $Address }
        # Tls, Tls11 and Tls12.
        $secured.AuthenticateAsClient($asked, $null, [System.Security.Authentication.SslProtocols]4032, $false)
        $answer.status = 'ok'
        $answer.protocol = [string]$secured.SslProtocol
        $answer.der = [System.Convert]::ToBase64String($secured.RemoteCertificate.GetRawCertData())
    }
    catch {
        $answer.status = 'error'
        $answer.detail = (Get-KeepwellFailure -ErrorRecord $_).detail
    }
    finally {
        if ($null -ne $secured) { $secured.Dispose() }
        $client.Close()
    }
    return $answer
}

Export-ModuleMember -Function '*'
