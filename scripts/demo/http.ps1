# HTTP and JSON, in Windows PowerShell 5.1 as in PowerShell 7.

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
