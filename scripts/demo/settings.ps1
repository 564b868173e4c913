# What deploy/.env and the environment say, as scripts/stacks.py reads them.

function Read-EnvFile([string]$Path) {
    # ReadAllLines takes any line end, and UTF-8 with or without a byte order mark.
    $found = @{}
    if (-not (Test-Path -LiteralPath $Path)) {
        return $found
    }
    foreach ($line in [System.IO.File]::ReadAllLines($Path)) {
        if ($line -match '^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$') {
            $name = $Matches[1]
            $value = $Matches[2]
            if ($value -match '^[^''#][^#]*\$(?!\{)|^\$(?!\{)') {
                $message = 'run_demo.ps1: deploy/.env: {0} has a $ in it, which Compose takes for ' +
                    'a variable; put the value in single quotes'
                [Console]::Error.WriteLine(($message -f $name))
                exit 1
            }
            $found[$name] = Remove-Quotes $value
        }
    }
    return $found
}

function Remove-Quotes([string]$Value) {
    if ($Value -match '^"([^"]*)"\s*(#.*)?$' -or $Value -match '^''([^'']*)''\s*(#.*)?$') {
        return $Matches[1]
    }
    return ($Value -replace '(^|\s+)#.*$', '')
}

function Get-Setting([string]$Name, [string]$Usual) {
    $value = [Environment]::GetEnvironmentVariable($Name)
    if (-not $value) {
        $value = $Settings[$Name]
    }
    if (-not $value) {
        return $Usual
    }
    return $value
}

function Get-PublishedAddress([string]$Name, [string]$UsualPort) {
    $port = Get-Setting $Name $UsualPort
    if ($port -eq '80') {
        return 'http://localhost'
    }
    return "http://localhost:$port"
}

function Resolve-Address([string]$Name, [string]$Text, [string]$Usual) {
    if (-not $Text) {
        return $Usual
    }
    $address = $null
    $valid = [Uri]::TryCreate($Text, [UriKind]::Absolute, [ref]$address)
    if (-not $valid -or @('http', 'https') -notcontains $address.Scheme) {
        $message = "run_demo.ps1: -{0}: '{1}' is not an address like http://localhost"
        [Console]::Error.WriteLine(($message -f $Name, $Text))
        exit 2
    }
    return $Text.TrimEnd('/')
}
