<#
.SYNOPSIS
The end-to-end demo through the gateway: run_demo.py, for PowerShell.
.DESCRIPTION
One order from cart to doorstep. Safe to run again. Runs in Windows PowerShell 5.1 and PowerShell 7.
Exit code 0: every step did what it should; 1: one did not, and a line says which; 2: an address is
none. The functions are in scripts/demo, beside the Python ones that they mirror.
.PARAMETER Base
The gateway (default: http://localhost, with HTTP_PORT of deploy/.env).
.PARAMETER MailHog
MailHog (default: http://localhost:8025, with MAILHOG_PORT of deploy/.env).
.EXAMPLE
powershell -ExecutionPolicy Bypass -File .\scripts\run_demo.ps1
.EXAMPLE
pwsh scripts/run_demo.ps1 -Base http://localhost:8000 -MailHog http://localhost:8025
#>
param(
    [string]$Base = '',
    [string]$MailHog = ''
)

Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

$folder = Join-Path $PSScriptRoot 'demo'
. (Join-Path $folder 'settings.ps1')
. (Join-Path $folder 'steps.ps1')
. (Join-Path $folder 'http.ps1')
. (Join-Path $folder 'shop.ps1')
. (Join-Path $folder 'mails.ps1')
. (Join-Path $folder 'preparation.ps1')
. (Join-Path $folder 'flow.ps1')

$Settings = Read-EnvFile (Join-Path (Split-Path -Parent $PSScriptRoot) 'deploy/.env')
$Base = Resolve-Address 'Base' $Base (Get-PublishedAddress 'HTTP_PORT' '80')
$MailHog = Resolve-Address 'MailHog' $MailHog (Get-PublishedAddress 'MAILHOG_PORT' '8025')
$InternalKey = Get-Setting 'SVC_INTERNAL_KEY' 'devkey'
$Http = New-HttpClient

$exitCode = 1
try {
    Wait-UntilUp
    Start-Step '1. Accounts'
    $AdminToken = Get-Token $AdminEmail 'admin'
    $CustomerToken = Get-Token $CustomerEmail 'customer'
    Start-Step '2. Product'
    $productId = Get-StockedProduct
    Start-Step '3. Cart and checkout'
    $order = Complete-Checkout $productId
    Start-Step '4. Payment'
    Complete-Payment $order
    Start-Step '5. Shipping'
    Complete-Shipping $order.order_id
    Start-Step '6. Mails'
    Show-Mails $order.order_id
    Write-Host '=== DEMO COMPLETE ===' -ForegroundColor Green
    $exitCode = 0
} catch {
    [Console]::Error.WriteLine($_.Exception.Message)
} finally {
    $Http.Dispose()
}
exit $exitCode
