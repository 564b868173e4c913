<#
.SYNOPSIS
Migrates the database of every service: seed.py, for PowerShell.
.DESCRIPTION
Finds Python 3.11 or newer and runs seed.py with it. Arguments are passed on; --help lists them.
Runs in Windows PowerShell 5.1 and in PowerShell 7.
.EXAMPLE
powershell -ExecutionPolicy Bypass -File .\scripts\seed.ps1
.EXAMPLE
powershell -ExecutionPolicy Bypass -File .\scripts\seed.ps1 --timeout 120
#>

Set-StrictMode -Version 2.0
# Not Stop: Windows PowerShell would take what Python writes to its error stream for a failure.
$ErrorActionPreference = 'Continue'
$PSNativeCommandUseErrorActionPreference = $false

function Test-Python([string]$Program, [string[]]$Options) {
    # The Microsoft Store puts a python.exe there that is none: it has to run to count.
    if (-not (Get-Command $Program -CommandType Application -ErrorAction SilentlyContinue)) {
        return $false
    }
    try {
        & $Program @Options -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>&1 | Out-Null
    } catch {
        return $false
    }
    return ($LASTEXITCODE -eq 0)
}

$python = $null
$candidates = @(
    @{ Program = 'py'; Options = @('-3') },
    @{ Program = 'python'; Options = @() },
    @{ Program = 'python3'; Options = @() }
)
foreach ($candidate in $candidates) {
    if (Test-Python $candidate.Program $candidate.Options) {
        $python = $candidate
        break
    }
}
if ($null -eq $python) {
    [Console]::Error.WriteLine('This needs Python 3.11 or later, and none was found; ' +
        'install it from https://www.python.org/downloads/ and run this again.')
    exit 2
}
$program = $python.Program
$options = $python.Options
$seed = Join-Path $PSScriptRoot 'seed.py'
& $program @options $seed @args
exit $LASTEXITCODE
