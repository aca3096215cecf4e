# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# One test of a dataset on a Windows host: read its repository, or restore from it and compare, and clean up. What it is
# worth is judged on the control node: here is only what was done and what came of it.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone: work that outlives its connection takes them along.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.probes.machine
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.answer
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.folder
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification.sandbox
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup.file_tool
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification.restic
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification.server_backup

function Invoke-KeepwellVerification {
    <#
    .SYNOPSIS
    Do the test of a request and remove what it restored. Returns outcome, code and text; Save gets the facts.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] $Request,
        [Parameter(Mandatory = $true)] [scriptblock] $Save
    )
    $secrets = Open-KeepwellSealed -Request $Request
    $facts = New-KeepwellVerificationFact -Request $Request
    $end = [System.DateTime]::UtcNow.AddSeconds([double]$Request.limits.runtime_s)
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    $answer = @{ outcome = 'done'; code = ''; text = '' }
    try {
        if (@('structure', 'subset', 'data') -contains $facts.kind) {
            $null = & $Save @{ phase = 'reading' }
            Read-KeepwellRepository -Request $Request -Secrets $secrets -Facts $facts -End $end
        }
        else {
            $null = & $Save @{ phase = 'restoring' }
            $facts.sandbox = New-KeepwellSandbox -Asked ([string]$Request.sandbox.base) -Id ([string]$Request.id) -NeedBytes ([double]$Request.need_bytes) -Save $Save
            Restore-KeepwellSample -Request $Request -Secrets $secrets -Facts $facts -End $end -Save $Save
            $facts.seconds = [System.Math]::Round($watch.Elapsed.TotalSeconds, 3)
            $null = & $Save @{ phase = 'comparing' }
            Compare-KeepwellSample -Request $Request -Facts $facts
        }
    }
    catch {
        $code = $_.Exception.Data['keepwell_code']
        $answer.outcome = 'failed'
        $answer.code = if ($code) { [string]$code } else { 'internal' }
        $answer.text = if ($code) { $_.Exception.Message } else { "The program on the host failed: $($_.Exception.GetType().Name): $($_.Exception.Message)" }
    }
    $facts.total_seconds = [System.Math]::Round($watch.Elapsed.TotalSeconds, 3)
    $facts.late = [System.DateTime]::UtcNow -gt $end
    if ($facts.sandbox) {
        $null = & $Save @{ phase = 'cleaning' }
        $facts.left = Remove-KeepwellSandbox -Path $facts.sandbox -Id ([string]$Request.id)
    }
    $null = & $Save @{ facts = $facts }
    return $answer
}

function New-KeepwellVerificationFact {
    <#
    .SYNOPSIS
    What is told of a test of which nothing was done yet.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] $Request)
    return @{
        kind = [string]$Request.kind
        host = [string]$Request.verifier
        snapshot = $Request.snapshot
        snapshot_time = $Request.snapshot_time
        snapshot_end = $null
        dataset_bytes = $null
        part = $Request.part
        parts = $Request.parts
        said = $null
        codes = @()
        compared = $null
        canary = $null
        seconds = $null
        total_seconds = $null
        sandbox = ''
        left = ''
        late = $false
        full = $false
        key_source = ''
    }
}

function Protect-KeepwellSecret {
    <#
    .SYNOPSIS
    Secrets by name, each as a text that this host alone can read (DPAPI), for the request that the work finds in its
    folder.
    .DESCRIPTION
    No command is told a secret as it is: the log of modules, where a policy keeps one, has what commands are told.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Secrets)
    Add-Type -AssemblyName System.Security
    $sealed = @{}
    foreach ($name in @($Secrets.Keys)) {
        $plain = [System.Text.Encoding]::UTF8.GetBytes([string]$Secrets[$name])
        $sealed[$name] = [System.Convert]::ToBase64String(
            [System.Security.Cryptography.ProtectedData]::Protect($plain, $null, [System.Security.Cryptography.DataProtectionScope]::LocalMachine)
        )
    }
    return $sealed
}

function Open-KeepwellSealed {
    <#
    .SYNOPSIS
    The secrets of a request, which is written anew without them; $null where it has none.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] $Request)
    if (-not $Request['sealed']) {
        return $null
    }
    Add-Type -AssemblyName System.Security
    $secrets = @{}
    foreach ($name in @($Request['sealed'].Keys)) {
        $sealed = [System.Convert]::FromBase64String([string]$Request['sealed'][$name])
        $plain = [System.Security.Cryptography.ProtectedData]::Unprotect($sealed, $null, [System.Security.Cryptography.DataProtectionScope]::LocalMachine)
        $secrets[$name] = [System.Text.Encoding]::UTF8.GetString($plain)
    }
    $null = $Request.Remove('sealed')
    Write-KeepwellDocument -Folder ([string]$Request.folder) -Name 'request.json' -Document $Request
    return $secrets
}

function Read-KeepwellRepository {
    <#
    .SYNOPSIS
    Let restic read its repository, or a part of it; what it says goes into Facts.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] $Request,
        [Parameter()] [AllowNull()] $Secrets,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Facts,
        [Parameter(Mandatory = $true)] [System.DateTime] $End
    )
    if ($Request.dataset.tool -ne 'restic') {
        Stop-KeepwellRequest -Code 'not_supported' -Text "$($Request.dataset.tool) has no command that reads a backup."
    }
    $words = @('--json')
    if ($Facts.kind -eq 'subset') {
        $words += "--read-data-subset=$([int]$Request.part)/$([int]$Request.parts)"
    }
    elseif ($Facts.kind -eq 'data') {
        $words += '--read-data'
    }
    $secret = Get-KeepwellResticSecret -Dataset $Request.dataset -Secrets $Secrets
    $Facts.key_source = $secret.source
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    $left = [System.Math]::Max(1.0, ($End - [System.DateTime]::UtcNow).TotalSeconds)
    $program = Find-KeepwellRestic -Options $Request.dataset.options
    $Facts.said = Invoke-KeepwellRestic -Program $program -Verb 'check' -Words $words -Environment $secret.environment -TimeoutS $left
    $Facts.seconds = [System.Math]::Round($watch.Elapsed.TotalSeconds, 3)
}

function Restore-KeepwellSample {
    <#
    .SYNOPSIS
    Restore what was wanted into the sandbox.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] $Request,
        [Parameter()] [AllowNull()] $Secrets,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Facts,
        [Parameter(Mandatory = $true)] [System.DateTime] $End,
        [Parameter(Mandatory = $true)] [scriptblock] $Save
    )
    if ($Request.dataset.tool -eq 'windows_server_backup') {
        $number = 0
        foreach ($group in @($Request.wanted.groups)) {
            $target = Join-Path -Path $Facts.sandbox -ChildPath ([string]$number)
            $null = [System.IO.Directory]::CreateDirectory($target)
            $left = [System.Math]::Max(1.0, ($End - [System.DateTime]::UtcNow).TotalSeconds)
            $restore = @{
                Version = [string]$Request.snapshot
                Parent = [string]$group.folder
                Name = @($group.names)
                Target = $target
                Folder = [string]$Request.folder
                LimitS = $left
                Save = $Save
            }
            $Facts.codes += Restore-KeepwellServerBackupFile @restore
            $number++
            if ([System.DateTime]::UtcNow -gt $End) {
                break
            }
        }
        return
    }
    if ($Request.dataset.tool -ne 'restic') {
        Stop-KeepwellRequest -Code 'not_supported' -Text "$($Request.dataset.tool) restores nothing by program."
    }
    $secret = Get-KeepwellResticSecret -Dataset $Request.dataset -Secrets $Secrets
    $Facts.key_source = $secret.source
    $words = @([string]$Request.snapshot, '--target', $Facts.sandbox)
    foreach ($entry in @($Request.wanted.includes)) {
        $words += '--include'
        $words += [string]$entry.include
    }
    $left = [System.Math]::Max(1.0, ($End - [System.DateTime]::UtcNow).TotalSeconds)
    $program = Find-KeepwellRestic -Options $Request.dataset.options
    $Facts.said = Invoke-KeepwellRestic -Program $program -Verb 'restore' -Words $words -Environment $secret.environment -TimeoutS $left
    $drive = [System.IO.Path]::GetPathRoot($Facts.sandbox).TrimEnd('\')
    $volume = Get-CimInstance -ClassName Win32_LogicalDisk -Filter "DeviceID='$drive'" -ErrorAction SilentlyContinue
    $Facts.full = $null -ne $volume -and [int64]$volume.FreeSpace -lt 1048576
}

function Find-KeepwellRestoredFile {
    <#
    .SYNOPSIS
    Paths of the files below a folder, none behind a link, and none that is too long for PowerShell to open.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Folder)
    Import-KeepwellFileTool
    $waiting = New-Object -TypeName System.Collections.Queue
    $waiting.Enqueue($Folder)
    while ($waiting.Count -gt 0) {
        $here = [string]$waiting.Dequeue()
        try {
            $entries = [Keepwell.FileTool]::List($here)
        }
        catch [System.ComponentModel.Win32Exception] {
            continue
        }
        foreach ($entry in $entries) {
            $path = "$here\$($entry.Name)"
            if ($entry.IsLink) {
                continue
            }
            if ($entry.IsFolder) {
                $waiting.Enqueue($path)
            }
            elseif ($path.Length -lt 260) {
                $path
            }
        }
    }
}

function Find-KeepwellRestored {
    <#
    .SYNOPSIS
    Live path -> restored path of what came back; '' for what did not.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] $Request,
        [Parameter(Mandatory = $true)] [string] $Sandbox
    )
    $found = @{}
    if ($Request.dataset.tool -eq 'windows_server_backup') {
        $number = 0
        foreach ($group in @($Request.wanted.groups)) {
            $place = Join-Path -Path $Sandbox -ChildPath ([string]$number)
            $number++
            foreach ($name in @($group.names)) {
                $came = @(Find-KeepwellRestoredFile -Folder $place | Where-Object -FilterScript { $_.EndsWith("\$name", [System.StringComparison]::OrdinalIgnoreCase) }) | Select-Object -First 1
                $found[(Join-Path -Path $group.folder -ChildPath $name)] = if ($came) { $came } else { '' }
            }
        }
        return $found
    }
    if ([string]$Request.kind -eq 'full') {
        foreach ($came in @(Find-KeepwellRestoredFile -Folder $Sandbox)) {
            $inside = $came.Substring($Sandbox.Length + 1)
            $found[$inside.Substring(0, 1) + ':' + $inside.Substring(1)] = $came
        }
        return $found
    }
    foreach ($entry in @($Request.wanted.includes)) {
        $inside = ([string]$entry.inside).TrimStart('/').Replace('/', '\')
        $came = Join-Path -Path $Sandbox -ChildPath $inside
        $found[[string]$entry.path] = if (Test-Path -LiteralPath $came -PathType Leaf) { $came } else { '' }
    }
    return $found
}

function Compare-KeepwellSample {
    <#
    .SYNOPSIS
    Compare what came back with the live files that have not changed since; the counts go into Facts.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] $Request,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Facts
    )
    $compared = @{ files = 0; bytes = 0; identical = 0; unreferenced = 0; changed = 0; mismatches = @(); missing = @(); paths = @() }
    $restored = Find-KeepwellRestored -Request $Request -Sandbox $Facts.sandbox
    foreach ($path in @($restored.Keys | Sort-Object)) {
        $came = $restored[$path]
        if (-not $came) {
            if ($compared.missing.Count -lt 200) {
                $compared.missing += $path
            }
            continue
        }
        $file = Get-Item -LiteralPath $came -Force
        $compared.files++
        $compared.bytes += $file.Length
        if ($compared.paths.Count -lt 5000) {
            $compared.paths += $path
        }
        $state = Compare-KeepwellFile -Live $path -Restored $came -Since ([double]$Request.snapshot_time)
        if ($state.state -eq 'mismatch') {
            if ($compared.mismatches.Count -lt 200) {
                $compared.mismatches += @{ path = $path; why = $state.why }
            }
        }
        else {
            $compared[$state.state]++
        }
    }
    $Facts.compared = $compared
    if ($Request.canary_path) {
        $wanted = [string]$Request.canary_path
        $came = @($restored.Keys | Where-Object -FilterScript { $_ -eq $wanted } | ForEach-Object -Process { $restored[$_] }) | Select-Object -First 1
        $data = ''
        if ($came -and (Get-Item -LiteralPath $came -Force).Length -le 4096) {
            $data = [System.Convert]::ToBase64String([System.IO.File]::ReadAllBytes($came))
        }
        $Facts.canary = @{ path = $wanted; data = $data }
    }
}

function Compare-KeepwellFile {
    <#
    .SYNOPSIS
    @{ state; why }: identical, changed (the live one, since then), unreferenced (there is none) or mismatch.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Live,
        [Parameter(Mandatory = $true)] [string] $Restored,
        [Parameter(Mandatory = $true)] [double] $Since
    )
    if (-not (Test-Path -LiteralPath $Live -PathType Leaf)) {
        return @{ state = 'unreferenced'; why = '' }
    }
    $file = Get-Item -LiteralPath $Live -Force
    $touched = [System.Math]::Max((ConvertTo-KeepwellEpoch -Moment $file.LastWriteTimeUtc), (ConvertTo-KeepwellEpoch -Moment $file.CreationTimeUtc)) -ge $Since
    try {
        $one = (Get-FileHash -LiteralPath $Restored -Algorithm SHA256 -ErrorAction Stop).Hash
        $other = (Get-FileHash -LiteralPath $Live -Algorithm SHA256 -ErrorAction Stop).Hash
    }
    catch {
        # Somebody works with it at this moment.
        return @{ state = 'unreferenced'; why = '' }
    }
    if ($one -eq $other) {
        return @{ state = 'identical'; why = '' }
    }
    if ($touched) {
        return @{ state = 'changed'; why = '' }
    }
    return @{ state = 'mismatch'; why = 'its content is not that of the live file, which has not changed since the snapshot' }
}

function Find-KeepwellSampleFile {
    <#
    .SYNOPSIS
    @{ files; cut }: files that lie below the sources now, with size and time of their last change; and the canary.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] $Dataset,
        [Parameter(Mandatory = $true)] [string] $Kind,
        [Parameter(Mandatory = $true)] [double] $LimitS
    )
    $end = [System.DateTime]::UtcNow.AddSeconds($LimitS)
    $files = New-Object -TypeName System.Collections.ArrayList
    $canary = if ($Dataset.canary) { [string]$Dataset.canary.path } else { '' }
    if ($canary -and (Test-Path -LiteralPath $canary -PathType Leaf)) {
        $null = $files.Add((ConvertTo-KeepwellSampleFile -File (Get-Item -LiteralPath $canary -Force)))
    }
    $cut = $false
    if ($Kind -eq 'sample') {
        $folders = New-Object -TypeName System.Collections.Queue
        $sources = @($Dataset.sources | Where-Object -FilterScript { $_ })
        if ($sources.Count -eq 0) {
            $sources = @($Dataset.expected_paths | Where-Object -FilterScript { $_ })
        }
        foreach ($source in $sources) {
            if (Test-Path -LiteralPath $source -PathType Leaf) {
                $null = $files.Add((ConvertTo-KeepwellSampleFile -File (Get-Item -LiteralPath $source -Force)))
            }
            else {
                $folders.Enqueue([string]$source)
            }
        }
        while ($folders.Count -gt 0 -and -not $cut) {
            foreach ($entry in @(Get-ChildItem -LiteralPath $folders.Dequeue() -Force -ErrorAction SilentlyContinue)) {
                # Behind links lies something else, and what is in the cloud alone is no backup's.
                if ($entry.Attributes -band ([System.IO.FileAttributes]::ReparsePoint -bor [System.IO.FileAttributes]::Offline -bor [System.IO.FileAttributes]::Temporary)) {
                    continue
                }
                if ($entry.PSIsContainer) {
                    $folders.Enqueue($entry.FullName)
                }
                # Its copy in the sandbox has a longer path, and PowerShell opens none of 260 characters.
                elseif ($entry.FullName -ne $canary -and $entry.FullName.Length -le 180) {
                    $null = $files.Add((ConvertTo-KeepwellSampleFile -File $entry))
                }
            }
            $cut = $files.Count -ge 20000 -or [System.DateTime]::UtcNow -gt $end
        }
    }
    return @{ files = @($files); cut = $cut }
}

function ConvertTo-KeepwellSampleFile {
    <#
    .SYNOPSIS
    @{ path; size; changed_at } of a file.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.IO.FileInfo] $File)
    $written = ConvertTo-KeepwellEpoch -Moment $File.LastWriteTimeUtc
    $made = ConvertTo-KeepwellEpoch -Moment $File.CreationTimeUtc
    return @{ path = $File.FullName; size = [int64]$File.Length; changed_at = [System.Math]::Max([double]$written, [double]$made) }
}

Export-ModuleMember -Function @(
    'Compare-KeepwellFile',
    'Compare-KeepwellSample',
    'ConvertTo-KeepwellSampleFile',
    'Find-KeepwellRestored',
    'Find-KeepwellRestoredFile',
    'Find-KeepwellSampleFile',
    'Invoke-KeepwellVerification',
    'New-KeepwellVerificationFact',
    'Open-KeepwellSealed',
    'Protect-KeepwellSecret',
    'Read-KeepwellRepository',
    'Restore-KeepwellSample'
)
