# How a step tells what it did, and waits.

$StepLimit = 30
$Step = 'start'
$NextNote = [DateTime]::UtcNow.AddSeconds(5)

function Start-Step([string]$Title) {
    $script:Step = $Title -replace '^\d+\. ', ''
    Write-Host $Title
}

function Write-Ok([string]$Text) {
    Write-Host '   ' -NoNewline
    Write-Host 'ok' -ForegroundColor Green -NoNewline
    Write-Host "  $Text"
}

function Stop-Demo([string]$Why) {
    throw ('{0} failed: {1}' -f $script:Step, $Why)
}

function Test-Taken($Answer) {
    # A 409 is no failure where the thing may be there from the last run.
    if ($Answer.Status -ne 409) {
        return $false
    }
    $said = Get-Detail $Answer
    if (-not $said) {
        $said = 'already exists'
    }
    Write-Host '   ' -NoNewline
    Write-Host '--' -ForegroundColor Yellow -NoNewline
    Write-Host "  $said (going on)"
    return $true
}

function Show-Waiting([string]$Text) {
    # A line now and then, so that one sees that the script is alive.
    if ([DateTime]::UtcNow -ge $script:NextNote) {
        Write-Host $Text
        $script:NextNote = [DateTime]::UtcNow.AddSeconds(5)
    }
}

function Wait-For([scriptblock]$Find, [string]$Otherwise) {
    # What $Find finds within the limit, asked ever less often.
    $deadline = [DateTime]::UtcNow.AddSeconds($StepLimit)
    $pause = 30
    while ($true) {
        $found = & $Find
        if ($found) {
            return $found
        }
        if ([DateTime]::UtcNow -gt $deadline) {
            Stop-Demo ("{0} within {1} s; see the services' logs" -f $Otherwise, $StepLimit)
        }
        Show-Waiting '   waiting ...'
        Start-Sleep -Milliseconds $pause
        $pause = [Math]::Min([int]($pause * 1.5), 1000)
    }
}
