# The shop's API through the gateway, as the demo uses it.

$Services = @('auth', 'catalog', 'cart', 'order', 'payment', 'shipping', 'notifications')
$StartLimit = 60
$SomethingElse = 'Something else than this stack answers at {0}: free that port, or set HTTP_PORT ' +
    'in deploy/.env and start the stack again'
$Migrate = 'the tables are missing: run python scripts/seed.py, then this again'
$HowToStart = 'start Docker''s stack (docker compose -f deploy/docker-compose.yaml ' +
    '--env-file deploy/.env up -d --build), or say with -Base where it is'
$Advice = @{
    401 = 'the accounts'' passwords or JWT_SECRET have changed; start from an empty database'
    403 = 'SVC_INTERNAL_KEY here must be the stack''s (environment or deploy/.env)'
    502 = 'the gateway can''t reach the service; look at its log'
    503 = 'look at /health of the service'
}

function Invoke-Shop(
    [string]$Method,
    [string]$Path,
    [string]$Token = '',
    [switch]$Internal,
    $Body = $null,
    [int[]]$Expect = @(200)
) {
    # The answer, if its status is expected; else the demo ends with the service's words.
    $headers = @{}
    if ($Token) {
        $headers['Authorization'] = "Bearer $Token"
    }
    if ($Internal) {
        $headers['X-Internal-Key'] = $InternalKey
    }
    try {
        $answer = Send-Request $Method "$Base$Path" $headers $Body
    } catch {
        Stop-Demo ('{0} {1}: no answer ({2})' -f $Method, $Path, (Get-Cause $_.Exception))
    }
    if ($Expect -notcontains $answer.Status) {
        Write-Host "   $($answer.Text)"
        Stop-Demo (Get-Refusal $Method $Path $answer)
    }
    return $answer
}

function Get-Refusal([string]$Method, [string]$Path, $Answer) {
    $detail = Get-Detail $Answer
    if ($detail -like '*seed.py*') {
        return $Migrate
    }
    $said = '{0} {1} answered {2}' -f $Method, $Path, $Answer.Status
    if ($detail) {
        $said += " ($detail)"
    }
    if ($Advice.ContainsKey($Answer.Status)) {
        $said += '; ' + $Advice[$Answer.Status]
    }
    return $said
}

function Get-Detail($Answer) {
    # What the service says, in one line.
    $detail = ([string](Get-Field $Answer.Json 'detail') -replace '\s+', ' ').Trim()
    return $detail.Substring(0, [Math]::Min($detail.Length, 300))
}

function Wait-UntilUp {
    # All services are healthy. A moment after compose up they may still be starting.
    $deadline = [DateTime]::UtcNow.AddSeconds($StartLimit)
    while ($true) {
        $ill = Get-Illness
        if (-not $ill) {
            return
        }
        if ($ill -like '*migrations pending*') {
            throw $Migrate
        }
        if ([DateTime]::UtcNow -gt $deadline) {
            throw ('Not healthy within {0} s: {1}' -f $StartLimit, $ill)
        }
        Show-Waiting "waiting for $ill"
        Start-Sleep -Milliseconds 200
    }
}

function Get-Illness {
    # The first service that is not healthy, and why; empty when all are.
    foreach ($service in $Services) {
        try {
            $answer = Send-Request GET "$Base/$service/health"
        } catch {
            if (Test-NothingThere $_.Exception) {
                throw ('Nothing answers at {0}: {1}' -f $Base, $HowToStart)
            }
            return ('{0}: no answer ({1})' -f $service, (Get-Cause $_.Exception))
        }
        if (Test-OtherServer $answer) {
            throw ($SomethingElse -f $Base)
        }
        if ($answer.Status -ne 200) {
            return ('{0}: {1}' -f $service, (Get-WrongChecks $answer))
        }
    }
    return ''
}

function Test-OtherServer($Answer) {
    # Neither a service's word on its health nor the gateway's, whose routes may not be there yet.
    $ofGateway = $Answer.Text.Trim() -eq '404 page not found'
    $isService = (Get-Field $Answer.Json 'checks') -is [System.Management.Automation.PSCustomObject]
    return -not ($ofGateway -or $isService -or @(502, 503, 504) -contains $Answer.Status)
}

function Get-WrongChecks($Answer) {
    $checks = Get-Field $Answer.Json 'checks'
    $wrong = @()
    if ($checks -is [System.Management.Automation.PSCustomObject]) {
        foreach ($check in $checks.PSObject.Properties) {
            if ($check.Value -ne 'ok') {
                $wrong += ('{0} {1}' -f $check.Name, $check.Value)
            }
        }
    }
    if ($wrong.Count -gt 0) {
        return ($wrong -join ', ')
    }
    return "status $($Answer.Status) from the gateway"
}
