# The shop's API through the gateway, as the demo uses it.

$Services = @('auth', 'catalog', 'cart', 'order', 'payment', 'shipping', 'notifications')
$StartLimit = 60
$Migrate = 'the tables are missing: run python scripts/seed.py, then this again'
$HowToStart = 'start Docker''s stack (docker compose -f deploy/docker-compose.yaml ' +
    '--env-file deploy/.env up -d --build), or say with -Base where it is'
$Advice = @{
    401 = 'the accounts'' passwords or JWT_SECRET have changed; start from an empty database'
    403 = 'SVC_INTERNAL_KEY here must be the stack''s (environment or deploy/.env)'
    502 = 'the gateway can''t reach the service; look at its log'
    503 = 'look at /health of the service'
}

function New-HttpClient {
    # Not Invoke-WebRequest: in 5.1 it throws on 4xx and 5xx and takes bodies without a charset for
    # Latin-1.
    Add-Type -AssemblyName System.Net.Http
    $protocols = [System.Net.ServicePointManager]::SecurityProtocol
    if ($PSVersionTable.PSVersion.Major -lt 6 -and [int]$protocols -ne 0) {
        [System.Net.ServicePointManager]::SecurityProtocol =
            $protocols -bor [System.Net.SecurityProtocolType]::Tls12
    }
    $handler = New-Object System.Net.Http.HttpClientHandler
    $handler.UseProxy = $false
    $handler.AllowAutoRedirect = $false
    $client = New-Object System.Net.Http.HttpClient -ArgumentList $handler
    $client.Timeout = [TimeSpan]::FromSeconds(20)
    $client.DefaultRequestHeaders.ExpectContinue = $false
    return $client
}

function Send-Request([string]$Method, [string]$Url, [hashtable]$Headers = @{}, $Body = $null) {
    # Whatever the status, the answer with its JSON. Throws only when there is no answer.
    $verb = New-Object System.Net.Http.HttpMethod -ArgumentList $Method
    $request = New-Object System.Net.Http.HttpRequestMessage -ArgumentList $verb, $Url
    foreach ($name in $Headers.Keys) {
        [void]$request.Headers.TryAddWithoutValidation($name, [string]$Headers[$name])
    }
    if ($null -ne $Body) {
        $json = ConvertTo-Json -InputObject $Body -Depth 10 -Compress
        $utf8 = [System.Text.Encoding]::UTF8
        $request.Content = New-Object System.Net.Http.StringContent -ArgumentList @(
            $json, $utf8, 'application/json'
        )
    }
    $response = $Http.SendAsync($request).GetAwaiter().GetResult()
    $bytes = $response.Content.ReadAsByteArrayAsync().GetAwaiter().GetResult()
    $text = [System.Text.Encoding]::UTF8.GetString($bytes)
    return @{ Status = [int]$response.StatusCode; Text = $text; Json = (ConvertFrom-Body $text) }
}

function ConvertFrom-Body([string]$Text) {
    # A list comes back as a list, its one element, or nothing: go through it with foreach.
    if (-not $Text.Trim()) {
        return $null
    }
    try {
        return (ConvertFrom-Json -InputObject $Text)
    } catch {
        return $null
    }
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

function Get-Field($Thing, [string]$Name) {
    # A property that may be missing, in any case of letters.
    if ($Thing -is [System.Management.Automation.PSCustomObject]) {
        $property = $Thing.PSObject.Properties[$Name]
        if ($null -ne $property) {
            return $property.Value
        }
    }
    return $null
}

function Get-Cause($Exception) {
    $cause = $Exception.GetBaseException()
    return ('{0}: {1}' -f $cause.GetType().Name, ($cause.Message -replace '\s+', ' '))
}

function Test-NothingThere($Exception) {
    # Nobody took the connection, as opposed to one that broke.
    $cause = $Exception.GetBaseException()
    if ($cause -is [System.Net.Sockets.SocketException]) {
        return (@('ConnectionReset', 'ConnectionAborted') -notcontains [string]$cause.SocketErrorCode)
    }
    if ($cause -is [System.Net.WebException]) {
        return (@('NameResolutionFailure', 'ConnectFailure') -contains [string]$cause.Status)
    }
    return $false
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
        if ($answer.Status -ne 200) {
            return ('{0}: {1}' -f $service, (Get-WrongChecks $answer))
        }
    }
    return ''
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
