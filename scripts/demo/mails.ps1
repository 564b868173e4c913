# Reads MailHog's /api/v2/messages, whose shape differs between versions and look-alikes.

function Get-Mails {
    # The latest mails, newest first.
    $why = ''
    try {
        $answer = Send-Request GET "$MailHog/api/v2/messages?limit=50"
        if ($answer.Status -ne 200) {
            $why = "status $($answer.Status)"
        } elseif ($null -eq $answer.Json -and $answer.Text.Trim() -ne '[]') {
            $why = 'not JSON'
        }
    } catch {
        $why = Get-Cause $_.Exception
    }
    if ($why) {
        throw ('Mails failed: MailHog at {0} gives no mails ({1}); -MailHog says where it is' -f
            $MailHog, $why)
    }
    $items = $answer.Json
    if ($items -is [System.Management.Automation.PSCustomObject] -and
        $null -ne $items.PSObject.Properties['items']) {
        $items = $items.PSObject.Properties['items'].Value
    }
    foreach ($item in $items) {
        if ($item -is [System.Management.Automation.PSCustomObject]) {
            ConvertTo-Mail $item
        }
    }
}

function ConvertTo-Mail($Item) {
    $content = Get-Field $Item 'Content'
    if ($null -eq $content) {
        $content = $Item
    }
    $headers = Get-Field $content 'Headers'
    $recipient = Get-RootRecipient (Get-Field $Item 'To')
    if (-not $recipient) {
        $recipient = Get-FirstText (Get-Field $headers 'To')
    }
    $subject = Get-FirstText (Get-Field $headers 'Subject')
    return New-Object PSObject -Property @{
        Recipient = (ConvertFrom-Header $recipient)
        Subject = (ConvertFrom-Header $subject)
    }
}

function Get-RootRecipient($To) {
    # From a list of {Mailbox, Domain}, a list of addresses, or one address.
    $first = $To | Select-Object -First 1
    if ($first -is [System.Management.Automation.PSCustomObject]) {
        $mailbox = Get-Field $first 'Mailbox'
        $domain = Get-Field $first 'Domain'
        if ($mailbox -and $domain) {
            return ('{0}@{1}' -f $mailbox, $domain)
        }
        return ''
    }
    return (Get-FirstText $first)
}

function Get-FirstText($Value) {
    # A header is a list of values, or the value itself.
    $first = $Value | Select-Object -First 1
    if ($first -is [string]) {
        return $first
    }
    return ''
}

function ConvertFrom-Header([string]$Text) {
    # An RFC 2047 header as a reader sees it, in one line; one that can't be read, as it came.
    $plain = $Text
    try {
        $plain = ConvertFrom-EncodedWords ($Text -replace '(?<=\?=)\s+(?==\?)', '')
    } catch {
        $plain = $Text
    }
    return ($plain -replace '\s+', ' ').Trim()
}

function ConvertFrom-EncodedWords([string]$Text) {
    $plain = ''
    $end = 0
    foreach ($word in [regex]::Matches($Text, '=\?([^?*]+)(?:\*[^?]*)?\?([BbQq])\?([^?]*)\?=')) {
        $plain += $Text.Substring($end, $word.Index - $end)
        $encoding = [System.Text.Encoding]::GetEncoding($word.Groups[1].Value)
        $payload = $word.Groups[3].Value
        if ($word.Groups[2].Value -eq 'B') {
            $bytes = [Convert]::FromBase64String($payload)
        } else {
            $bytes = ConvertFrom-QuotedPrintable $payload
        }
        $plain += $encoding.GetString([byte[]]$bytes)
        $end = $word.Index + $word.Length
    }
    return ($plain + $Text.Substring($end))
}

function ConvertFrom-QuotedPrintable([string]$Text) {
    for ($i = 0; $i -lt $Text.Length; $i++) {
        $letter = [string]$Text[$i]
        if ($letter -eq '=') {
            [Convert]::ToByte($Text.Substring($i + 1, 2), 16)
            $i += 2
        } elseif ($letter -eq '_') {
            [byte]32
        } else {
            [byte][char]$letter
        }
    }
}
