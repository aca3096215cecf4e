# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# How a host is connected: adapters and their counters, addresses, default routes, name servers, what listens. Read
# here, understood in plugin_utils/windows_hosts. Nothing outside the host's own configuration is contacted unless the
# parameters name it.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone, no variables of the module: the runner carries the
# definitions of functions into the runspaces of the probes.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.records

function Get-KeepwellNetworkFacts {
    <#
    .SYNOPSIS
    Return the raw facts of the network.
    .DESCRIPTION
    Parameters: names (host names to ask every name server for), targets ("host:port" to open a TCP connection to).
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Parameters
    )
    $space = 'root/StandardCimv2'
    $adapters = Get-KeepwellRecord -Machine $Machine -Class 'MSFT_NetAdapter' -Namespace $space -Source 'adapters' -Property @(
        'Name', 'InterfaceDescription', 'InterfaceIndex', 'Hidden', 'Virtual', 'ConnectorPresent',
        'InterfaceAdminStatus', 'InterfaceOperationalStatus', 'MediaConnectState', 'Speed', 'FullDuplex', 'MtuSize',
        'NdisPhysicalMedium'
    )
    if ($null -eq $adapters) {
        $told = $Machine.sources['adapters']
        Stop-KeepwellProbe -Status $told.status -Detail "the network adapters could not be read: $($told.detail)"
    }
    $servers = Get-KeepwellRecord -Machine $Machine -Class 'MSFT_DNSClientServerAddress' -Namespace $space -Source 'name servers' -Property 'InterfaceAlias', 'InterfaceIndex', 'AddressFamily', 'ServerAddresses'
    $suffixes = Get-KeepwellNetworkSuffix -Machine $Machine
    $names = @($Parameters['names'] | Where-Object -FilterScript { $_ } | Select-Object -First 2)
    return @{
        adapters = $adapters
        statistics = Get-KeepwellRecord -Machine $Machine -Class 'MSFT_NetAdapterStatisticsSettingData' -Namespace $space -Source 'adapter statistics' -Property @(
            'Name', 'ReceivedBytes', 'ReceivedUnicastPackets', 'ReceivedMulticastPackets', 'ReceivedBroadcastPackets',
            'ReceivedPacketErrors', 'ReceivedDiscardedPackets', 'SentBytes', 'SentUnicastPackets',
            'SentMulticastPackets', 'SentBroadcastPackets', 'OutboundPacketErrors', 'OutboundDiscardedPackets'
        )
        teams = Get-KeepwellRecord -Machine $Machine -Class 'MSFT_NetLbfoTeam' -Namespace $space -Source 'teams' -Property 'Name', 'TeamingMode', 'Status'
        team_members = Get-KeepwellRecord -Machine $Machine -Class 'MSFT_NetLbfoTeamMember' -Namespace $space -Source 'team members' -Property 'Name', 'Team', 'OperationalStatus', 'AdministrativeMode'
        addresses = Get-KeepwellRecord -Machine $Machine -Class 'MSFT_NetIPAddress' -Namespace $space -Source 'addresses' -Property 'IPAddress', 'InterfaceAlias', 'AddressFamily', 'PrefixLength', 'PrefixOrigin', 'AddressState'
        routes = Get-KeepwellRecord -Machine $Machine -Class 'MSFT_NetRoute' -Namespace $space -Filter "DestinationPrefix = '0.0.0.0/0' OR DestinationPrefix = '::/0'" -Source 'routes' -Property 'DestinationPrefix', 'NextHop', 'InterfaceAlias', 'InterfaceIndex', 'RouteMetric', 'Store'
        neighbours = Get-KeepwellRecord -Machine $Machine -Class 'MSFT_NetNeighbor' -Namespace $space -Source 'neighbours' -Property 'IPAddress', 'InterfaceIndex', 'State'
        name_servers = $servers
        answers = Get-KeepwellNetworkAnswer -Machine $Machine -Adapters $adapters -Servers $servers -Names $names -Suffixes $suffixes
        suffixes = $suffixes
        names_given = $names.Count -gt 0
        targets = Get-KeepwellNetworkTarget -Targets @($Parameters['targets'] | Where-Object -FilterScript { $_ })
        tcp = Get-KeepwellRecord -Machine $Machine -Class 'MSFT_NetTCPConnection' -Namespace $space -Filter 'State = 2' -Source 'listeners' -Property 'LocalAddress', 'LocalPort', 'OwningProcess'
        udp = Get-KeepwellRecord -Machine $Machine -Class 'MSFT_NetUDPEndpoint' -Namespace $space -Source 'listeners' -Property 'LocalAddress', 'LocalPort', 'OwningProcess'
        processes = Get-KeepwellRecord -Machine $Machine -Class 'Win32_Process' -Source 'processes' -Property 'ProcessId', 'Name'
        services = Get-KeepwellRecord -Machine $Machine -Class 'Win32_Service' -Filter "State = 'Running'" -Source 'services' -Property 'Name', 'ProcessId'
        dynamic_ports = Get-KeepwellRecord -Machine $Machine -Class 'MSFT_NetTCPSetting' -Namespace $space -Source 'dynamic ports' -Property 'DynamicPortRangeStartPort', 'DynamicPortRangeNumberOfPorts'
        boots = @(Get-KeepwellEvent -Machine $Machine -Log 'System' -Provider 'Microsoft-Windows-Kernel-General' -Id 12 -Cap 1 -Source 'boots')
    }
}

function Get-KeepwellNetworkSuffix {
    <#
    .SYNOPSIS
    Return the domains that Windows appends to short names: the search list, else the host's own domain.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine
    )
    $values = Get-KeepwellRegistryValue -Machine $Machine -Key 'SYSTEM\CurrentControlSet\Services\Tcpip\Parameters' -Source 'suffixes'
    $found = @()
    if ($values) {
        if ($values['SearchList']) {
            $found = @($values['SearchList'] -split '[, ]+' | Where-Object -FilterScript { $_ })
        }
        else {
            $found = @(@($values['Domain'], $values['DhcpDomain']) | Where-Object -FilterScript { $_ } | Select-Object -First 1)
        }
    }
    return , $found
}

function Get-KeepwellNetworkAnswer {
    <#
    .SYNOPSIS
    Return what every name server of a connected adapter answers: address, origin, queries (reply in base64, or $null).
    .DESCRIPTION
    Each is asked by itself, for the root's name servers and the host's own domain where no names are given: what it
    knows by heart. The cmdlets would ask whoever answers first and hide a dead one.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Machine,
        [Parameter(Mandatory = $true)] [AllowEmptyCollection()] [object[]] $Adapters,
        [AllowNull()] [object[]] $Servers,
        [AllowEmptyCollection()] [string[]] $Names = @(),
        [AllowEmptyCollection()] [string[]] $Suffixes = @()
    )
    if ($null -eq $Servers) {
        return $null
    }
    $questions = @($Names | ForEach-Object -Process { @{ name = $_; type = 'A'; code = 1 } })
    if ($questions.Count -eq 0) {
        $questions = @(@{ name = '.'; type = 'NS'; code = 2 })
        if ($Suffixes.Count -gt 0) {
            $questions += @{ name = $Suffixes[0]; type = 'SOA'; code = 6 }
        }
    }
    $connected = @($Adapters | Where-Object -FilterScript { [int]$_.InterfaceOperationalStatus -eq 1 } | ForEach-Object -Process { [long]$_.InterfaceIndex })
    $asked = @()
    $found = @()
    foreach ($entry in $Servers) {
        if ($connected -notcontains [long]$entry.InterfaceIndex) { continue }
        foreach ($address in @($entry.ServerAddresses)) {
            # fec0:0:0:ffff::1 to 3 stand for "none was given" on adapters with IPv6.
            if (-not $address -or $address -like 'fec0:0:0:ffff:*' -or $asked -contains $address -or $asked.Count -ge 4) { continue }
            $asked += $address
            $queries = @()
            foreach ($question in $questions) {
                $answer = Send-KeepwellNetworkQuery -Address $address -Name $question.name -Code $question.code
                $queries += @{ name = $question.name; type = $question.type; reply = $answer.reply; ms = $answer.ms }
                if ($null -eq $answer.reply) { break }
            }
            $found += @{ address = $address; origin = [string]$entry.InterfaceAlias; queries = $queries }
        }
    }
    return , $found
}

function Send-KeepwellNetworkQuery {
    <#
    .SYNOPSIS
    Ask one name server one question (RFC 1035) and return @{ reply (base64 or $null after a second); ms }.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Address,
        [Parameter(Mandatory = $true)] [string] $Name,
        [Parameter(Mandatory = $true)] [int] $Code
    )
    $clock = [System.Diagnostics.Stopwatch]::StartNew()
    $client = $null
    try {
        $message = New-Object -TypeName System.IO.MemoryStream
        $message.Write([byte[]]@(0x4B, 0x57, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0), 0, 12)
        foreach ($label in @($Name.Trim('.').Split('.') | Where-Object -FilterScript { $_ })) {
            $part = [System.Text.Encoding]::ASCII.GetBytes($label)
            $message.WriteByte([byte]$part.Length)
            $message.Write($part, 0, $part.Length)
        }
        $message.Write([byte[]]@(0, 0, $Code, 0, 1), 0, 5)
        $bytes = $message.ToArray()
        $server = [System.Net.IPAddress]::Parse($Address)
        $client = New-Object -TypeName System.Net.Sockets.UdpClient -ArgumentList $server.AddressFamily
        $client.Client.ReceiveTimeout = 1000
        $client.Connect($server, 53)
        $null = $client.Send($bytes, $bytes.Length)
        $from = New-Object -TypeName System.Net.IPEndPoint -ArgumentList $server, 53
        $reply = $client.Receive([ref]$from)
        return @{ reply = [System.Convert]::ToBase64String($reply); ms = [System.Math]::Round($clock.Elapsed.TotalMilliseconds, 1) }
    }
    catch {
        return @{ reply = $null; ms = $null }
    }
    finally {
        if ($null -ne $client) { $client.Close() }
    }
}

function Get-KeepwellNetworkTarget {
    <#
    .SYNOPSIS
    Open a TCP connection to each target (at most five): target, status, ms, detail; $null when none is asked for.
    #>
    [CmdletBinding()]
    param(
        [AllowEmptyCollection()] [string[]] $Targets = @()
    )
    if ($Targets.Count -eq 0) {
        return $null
    }
    $found = @()
    foreach ($target in @($Targets | Select-Object -First 5)) {
        $colon = $target.LastIndexOf(':')
        $port = 0
        if ($colon -lt 1 -or -not [int]::TryParse($target.Substring($colon + 1), [ref]$port)) {
            $found += @{ target = $target; status = 'error'; ms = $null; detail = 'not host:port' }
            continue
        }
        $clock = [System.Diagnostics.Stopwatch]::StartNew()
        $answer = @{ target = $target; status = 'timeout'; ms = $null; detail = '' }
        $client = New-Object -TypeName System.Net.Sockets.TcpClient
        try {
            $handle = $client.BeginConnect($target.Substring(0, $colon).Trim('[', ']'), $port, $null, $null)
            if ($handle.AsyncWaitHandle.WaitOne(1500)) {
                $client.EndConnect($handle)
                $answer.status = 'ok'
                $answer.ms = [System.Math]::Round($clock.Elapsed.TotalMilliseconds, 1)
            }
        }
        catch {
            $failure = Get-KeepwellFailure -ErrorRecord $_
            # 10061: nobody listens there.
            $refused = $null -ne $_.Exception.InnerException -and $_.Exception.InnerException.NativeErrorCode -eq 10061
            $answer.status = if ($refused) { 'refused' } else { 'error' }
            $answer.detail = $failure.detail
        }
        finally {
            $client.Close()
        }
        $found += $answer
    }
    return , $found
}

Export-ModuleMember -Function '*'
