# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# restic on a Windows host: its reading commands, and what it printed; nothing of that is understood here.
#
# What may be said to restic is a closed list: see ValidateSet. Every command has --no-lock, so nothing is written to the
# repository. Secrets travel in the environment of that one process.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone: work that outlives its connection takes them along.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.answer

function Find-KeepwellRestic {
    <#
    .SYNOPSIS
    Path of restic.exe: as the dataset says, else on the path of the system; '' where there is none.
    #>
    [CmdletBinding()]
    param([Parameter()] [AllowNull()] $Options)
    $named = if ($Options -and $Options.program) { [string]$Options.program } else { 'restic.exe' }
    $found = Get-Command -Name $named -CommandType Application -ErrorAction SilentlyContinue | Select-Object -First 1
    if ($found) {
        return [string]$found.Source
    }
    return ''
}

function Invoke-KeepwellRestic {
    <#
    .SYNOPSIS
    Run a reading command of restic: @{ status; rc; out; err }.
    .DESCRIPTION
    Program may be '': then it is absent. Words are what stands behind the verb. Environment has the repository and the
    dataset's secrets.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $Program,
        [Parameter(Mandatory = $true)] [ValidateSet('version', 'snapshots', 'ls', 'check', 'restore')] [string] $Verb,
        [Parameter()] [AllowEmptyCollection()] [string[]] $Words = @(),
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Environment,
        [Parameter(Mandatory = $true)] [double] $TimeoutS
    )
    $start = New-Object -TypeName System.Diagnostics.ProcessStartInfo
    $start.FileName = $Program
    $start.Arguments = (@($Verb) + @($Words) + @('--no-lock', '--no-cache') | ForEach-Object -Process { ConvertTo-KeepwellResticWord -Text $_ }) -join ' '
    $start.UseShellExecute = $false
    $start.CreateNoWindow = $true
    $start.RedirectStandardOutput = $true
    $start.RedirectStandardError = $true
    $start.StandardOutputEncoding = [System.Text.Encoding]::UTF8
    $start.StandardErrorEncoding = [System.Text.Encoding]::UTF8
    foreach ($name in $Environment.Keys) {
        $start.EnvironmentVariables[$name] = [string]$Environment[$name]
    }
    try {
        $process = [System.Diagnostics.Process]::Start($start)
    }
    catch {
        return @{ status = 'absent'; rc = $null; out = ''; err = 'restic could not be started' }
    }
    try {
        $process.PriorityClass = [System.Diagnostics.ProcessPriorityClass]::Idle
    }
    catch {
        # It has ended already.
        $process.Refresh()
    }
    $out = $process.StandardOutput.ReadToEndAsync()
    $err = $process.StandardError.ReadToEndAsync()
    if (-not $process.WaitForExit([int]($TimeoutS * 1000))) {
        $process.Kill()
        $process.WaitForExit()
        return @{ status = 'timeout'; rc = $null; out = ''; err = 'restic did not end in its time' }
    }
    return @{
        status = 'ok'
        rc = $process.ExitCode
        out = Hide-KeepwellResticSecret -Text ([string]$out.Result) -Environment $Environment
        err = Hide-KeepwellResticSecret -Text ([string]$err.Result) -Environment $Environment
    }
}

function Hide-KeepwellResticSecret {
    <#
    .SYNOPSIS
    What restic printed, with [secret] where it quotes one: as the Scrubber of _credentials.py does.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $Text,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Environment
    )
    # Variables that say where something is, not what it is; and what is set here.
    $harmless = '(^|_)(FILE|COMMAND|PATH|DIR|REGION|ENDPOINT|HOST|PORT|USER|USERNAME|REPO|REPOSITORY|URL|PROFILE|TYPE|BUCKET|FPS)$'
    $clean = $Text
    foreach ($name in @($Environment.Keys)) {
        $value = [string]$Environment[$name]
        if ($name -match $harmless -or $value -eq '') {
            continue
        }
        # As it is, as JSON has it, and as an address has it. A short one is replaced only where it stands alone.
        foreach ($form in @($value, $value.Replace('\', '\\').Replace('"', '\"'), [System.Uri]::EscapeDataString($value))) {
            $pattern = [System.Text.RegularExpressions.Regex]::Escape($form)
            if ($form.Length -lt 6) {
                $pattern = "(?<!\w)$pattern(?!\w)"
            }
            $clean = [System.Text.RegularExpressions.Regex]::Replace($clean, $pattern, '[secret]')
        }
    }
    return [System.Text.RegularExpressions.Regex]::Replace($clean, '(?<=://)[^/@\s:]*:[^/@\s]+(?=@)', '[secret]')
}

function ConvertTo-KeepwellResticWord {
    <#
    .SYNOPSIS
    A word as programs of Windows read it from their command line (CommandLineToArgvW).
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $Text)
    if ($Text -and $Text -notmatch '[\s"]') {
        return $Text
    }
    $quoted = $Text -replace '(\\*)"', '$1$1\"'
    $quoted = $quoted -replace '(\\+)$', '$1$1'
    return "`"$quoted`""
}

function Get-KeepwellResticSecret {
    <#
    .SYNOPSIS
    @{ environment; source } of a dataset: what came along, and what its files on this host hold.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] $Dataset,
        [Parameter()] [AllowNull()] $Secrets
    )
    $environment = @{ RESTIC_REPOSITORY = [string]$Dataset.repository; RESTIC_PROGRESS_FPS = '0.01' }
    $source = ''
    $given = $Dataset.credentials
    if ($given.environment_file) {
        foreach ($line in @(Read-KeepwellResticFile -Path ([string]$given.environment_file))) {
            if ($line -match '^\s*([A-Za-z_][A-Za-z0-9_]*)=(.*)$') {
                $environment[$Matches[1]] = $Matches[2].Trim('"')
            }
        }
        $source = 'environment_file'
    }
    if ($given.password_file) {
        $environment['RESTIC_PASSWORD'] = [string](@(Read-KeepwellResticFile -Path ([string]$given.password_file)) | Select-Object -First 1)
        $source = 'password_file'
    }
    if ($Secrets) {
        foreach ($name in @($Secrets.Keys)) {
            $environment[$name] = [string]$Secrets[$name]
            $source = 'environment'
        }
    }
    return @{ environment = $environment; source = $source }
}

function Read-KeepwellResticFile {
    <#
    .SYNOPSIS
    Lines of a file with secrets; refused where others than administrators and the system may read it.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Path)
    if (-not (Test-Path -LiteralPath $Path -PathType Leaf)) {
        Stop-KeepwellRequest -Code 'bad_credentials' -Text "The file $Path with the secret does not exist."
    }
    # The system, administrators, the owner of what he makes.
    $allowed = @('S-1-5-18', 'S-1-5-32-544', 'S-1-3-4')
    $access = (Get-Acl -LiteralPath $Path).GetAccessRules($true, $true, [System.Security.Principal.SecurityIdentifier])
    $others = @($access | Where-Object -FilterScript { $_.AccessControlType -eq 'Allow' -and $allowed -notcontains $_.IdentityReference.Value })
    if ($others.Count -gt 0) {
        $text = "Others than administrators may read $Path ($($others[0].IdentityReference.Value)). Take their rights away."
        Stop-KeepwellRequest -Code 'bad_credentials' -Text $text
    }
    # As restic reads it: PowerShell 5.1 would take the system's code page.
    return @(Get-Content -LiteralPath $Path -Encoding UTF8 -ErrorAction Stop)
}

function Get-KeepwellRestic {
    <#
    .SYNOPSIS
    {status, detail, tool, facts} of a dataset's repository; facts: what restic printed.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] $Dataset,
        [Parameter()] [AllowNull()] $Secrets,
        [Parameter(Mandatory = $true)] [double] $TimeoutS
    )
    $answer = @{ status = 'ok'; detail = ''; tool = @{ name = 'restic'; version = $null; path = $null }; facts = $null }
    $program = Find-KeepwellRestic -Options $Dataset.options
    if (-not $program) {
        $answer.status = 'absent'
        $answer.detail = 'restic.exe is not on the path of the system (options: {program: ...} names another place).'
        return $answer
    }
    $answer.tool.path = $program
    $environment = (Get-KeepwellResticSecret -Dataset $Dataset -Secrets $Secrets).environment
    $version = Invoke-KeepwellRestic -Program $program -Verb 'version' -Environment @{} -TimeoutS 30
    if ([string]$version.out -match '^restic (\d+\.\d+(\.\d+)?)') {
        $answer.tool.version = $Matches[1]
    }
    $facts = @{ free_bytes = $null; content = $null }
    $facts.snapshots = Invoke-KeepwellRestic -Program $program -Verb 'snapshots' -Words @('--json') -Environment $environment -TimeoutS $TimeoutS
    $expected = @($Dataset.expected_paths | Where-Object -FilterScript { $_ })
    if ($facts.snapshots.rc -eq 0 -and $expected.Count -gt 0) {
        # restic tells C:\data as /C/data.
        $inside = @($expected | ForEach-Object -Process { '/' + $_.Substring(0, 1).ToUpperInvariant() + $_.Substring(2).Replace('\', '/') })
        $newest = Get-KeepwellResticNewest -Text ([string]$facts.snapshots.out) -Dataset $Dataset
        if ($newest) {
            $facts.content = Invoke-KeepwellRestic -Program $program -Verb 'ls' -Words (@('--json', $newest) + $inside) -Environment $environment -TimeoutS $TimeoutS
        }
    }
    if ([string]$Dataset.repository -match '^[A-Za-z]:') {
        $volume = Get-CimInstance -ClassName Win32_LogicalDisk -Filter "DeviceID='$($Matches[0])'" -ErrorAction SilentlyContinue
        if ($volume) {
            $facts.free_bytes = [int64]$volume.FreeSpace
        }
    }
    $answer.facts = $facts
    return $answer
}

function Get-KeepwellResticNewest {
    <#
    .SYNOPSIS
    Id of the newest snapshot of the dataset's hosts; '' where there is none.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Text,
        [Parameter(Mandatory = $true)] $Dataset
    )
    try {
        $everything = @(ConvertFrom-Json -InputObject $Text)
    }
    catch {
        return ''
    }
    $hosts = @($Dataset.hosts | Where-Object -FilterScript { $_ })
    $mine = @($everything | ForEach-Object -Process { $_ } | Where-Object -FilterScript { $hosts.Count -eq 0 -or $hosts -contains $_.hostname })
    $newest = $mine | Sort-Object -Property { [System.DateTimeOffset]::Parse($_.time, [System.Globalization.CultureInfo]::InvariantCulture) } | Select-Object -Last 1
    if ($newest) {
        return [string]$newest.id
    }
    return ''
}

Export-ModuleMember -Function @(
    'ConvertTo-KeepwellResticWord',
    'Find-KeepwellRestic',
    'Get-KeepwellRestic',
    'Get-KeepwellResticNewest',
    'Get-KeepwellResticSecret',
    'Hide-KeepwellResticSecret',
    'Invoke-KeepwellRestic',
    'Read-KeepwellResticFile'
)
