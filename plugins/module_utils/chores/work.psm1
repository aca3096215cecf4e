# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# What the programs that do a chore's work on a Windows host have in common: as _work.py and _commands.py elsewhere.
#
# Such a program is started by a task and nobody waits for it: all it has to say goes into state.json. Whatever happens, it
# never leaves a phase without saying so: a program that is killed leaves the phase it was in, and whoever asks next finds
# out what became of it.
#
# Runs on managed hosts: Windows PowerShell 5.1. Functions alone: they are taken along as text.

#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.answer
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.folder
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.task
#AnsibleRequires -PowerShell ansible_collections.keepwell.fleet.plugins.module_utils.chores.jobs

function Save-KeepwellWork {
    <#
    .SYNOPSIS
    Write down how far the work is; on a disk that is full to the last byte it goes on without.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Folder,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $State,
        [Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Field
    )
    foreach ($name in @($Field.Keys)) {
        $State[$name] = $Field[$name]
    }
    try {
        Write-KeepwellDocument -Folder $Folder -Name 'state.json' -Document $State
    }
    catch [System.IO.IOException], [System.UnauthorizedAccessException] {
        # The last account that could be written is what is known.
        $State['unwritten'] = $true
    }
}

function Invoke-KeepwellWork {
    <#
    .SYNOPSIS
    Do a piece of work from its start to its end; its end is in state.json. The program's only call.
    .DESCRIPTION
    What the work refuses (Stop-KeepwellRequest) ends as refused; an error of its own as failed once the phase is another
    than waiting, for then the host may have been changed.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Folder,
        [Parameter(Mandatory = $true)] [string] $Work
    )
    $request = Read-KeepwellDocument -Folder $Folder -Name 'request.json'
    $state = Read-KeepwellDocument -Folder $Folder -Name 'state.json'
    $save = {
        param($Field)
        Save-KeepwellWork -Folder $Folder -State $state -Field $Field
    }.GetNewClosure()
    $request.folder = $Folder
    $lock = $null
    $watchdog = Start-KeepwellWatchdog -LimitS (Get-KeepwellWorkSecond -Limits $request.limits)
    try {
        Save-KeepwellWork -Folder $Folder -State $state -Field @{
            process = @{ pid = $PID; started = (Get-KeepwellProcessStart -Id $PID) }
            bounded = (Get-KeepwellWorkBound -Chore $state.chore -Id $state.id)
        }
        $lock = Lock-KeepwellHost -Who "$($state.chore.Replace('_', ' ')) $($state.id)"
        if ($lock -is [string]) {
            Stop-KeepwellRequest -Code 'host_locked' -Text "Keepwell is at work on this host already: $lock."
        }
        $end = @(& $Work -Request $request -Save $save)[-1]
    }
    catch {
        $code = $_.Exception.Data['keepwell_code']
        if ($code) {
            $end = @{ outcome = 'refused'; code = [string]$code; text = $_.Exception.Message }
        }
        else {
            $kind = $_.Exception.GetType().Name
            $where = ($_.ScriptStackTrace -split "`n")[0]
            $end = @{
                outcome = if ($state.phase -eq 'waiting') { 'refused' } else { 'failed' }
                code = 'internal'
                text = "The program on the host failed: ${kind}: $($_.Exception.Message) ($where)."
            }
        }
    }
    finally {
        if ($lock -is [System.IDisposable]) {
            $lock.Dispose()
        }
    }
    $end.phase = 'ended'
    $end.ended_at = Get-KeepwellNow
    $end.command = $null
    Save-KeepwellWork -Folder $Folder -State $state -Field $end
    $watchdog.Stop()
    $watchdog.Dispose()
}

function Start-KeepwellWatchdog {
    <#
    .SYNOPSIS
    Return what ends this process after so many seconds, unless it is stopped and disposed of before.
    .DESCRIPTION
    The Task Scheduler does not apply its limit to a task that is started on demand (ITaskSettings, ExecutionTimeLimit).
    Only this process ends: what it started goes on by itself, and the state says how far the work was.
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [int] $LimitS)
    $shell = [System.Management.Automation.PowerShell]::Create()
    $null = $shell.AddCommand('Start-Sleep').AddParameter('Seconds', $LimitS)
    $null = $shell.AddStatement().AddCommand('Stop-Process').AddParameter('Id', $PID).AddParameter('Force')
    $null = $shell.BeginInvoke()
    return $shell
}

function Invoke-KeepwellProgram {
    <#
    .SYNOPSIS
    Run a program to its end or its time limit: @{ rc; out; timed_out }; out is the last 60000 characters that it wrote.
    .DESCRIPTION
    Argument is one string, quoted as the program wants it. Folder is where its words go while it runs, and the log. Save,
    where given, hears of the process, so that whoever asks knows that it goes on. A program that takes too long is left
    to itself: what it does in the middle of its work nobody may end.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Path,
        [Parameter(Mandatory = $true)] [string] $Argument,
        [Parameter(Mandatory = $true)] [string] $Folder,
        [Parameter(Mandatory = $true)] [double] $LimitS,
        [Parameter()] [AllowNull()] $Save = $null
    )
    $out = Join-Path -Path $Folder -ChildPath ('out-{0}' -f [System.Guid]::NewGuid().ToString('N').Substring(0, 8))
    $process = Start-Process -FilePath $Path -ArgumentList $Argument -RedirectStandardOutput $out -RedirectStandardError "$out.err" -WindowStyle Hidden -PassThru
    # Asked for while it lives: afterwards there is no exit code without it.
    $null = $process.Handle
    if ($null -ne $Save) {
        $null = & $Save @{ command = @{ pid = $process.Id; started = (Get-KeepwellProcessStart -Id $process.Id) } }
    }
    $ended = $process.WaitForExit([int][System.Math]::Min($LimitS * 1000, 2147483000))
    $text = ''
    foreach ($file in @($out, "$out.err")) {
        try {
            $stream = [System.IO.File]::Open($file, 'Open', 'Read', 'ReadWrite')
            $reader = New-Object -TypeName System.IO.StreamReader -ArgumentList $stream
            $text += $reader.ReadToEnd()
            $reader.Dispose()
        }
        catch [System.IO.IOException] {
            $text += ''
        }
    }
    $text = $text.Substring([System.Math]::Max(0, $text.Length - 60000))
    $rc = $null
    if ($ended) {
        $rc = $process.ExitCode
        Remove-Item -LiteralPath $out, "$out.err" -Force -ErrorAction SilentlyContinue
    }
    try {
        [System.IO.File]::AppendAllText((Join-Path -Path $Folder -ChildPath 'log'), "> $Path $Argument`r`n$text`r`n")
    }
    catch [System.IO.IOException] {
        # A full disk: the answer has it all the same.
        $text += ''
    }
    if ($null -ne $Save -and $ended) {
        $null = & $Save @{ command = $null }
    }
    return @{ rc = $rc; out = $text; timed_out = (-not $ended) }
}

Export-ModuleMember -Function '*-Keepwell*'
