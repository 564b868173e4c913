# One order: cart, checkout, payment, shipping, mails. Each step prints what it did, or ends the
# demo with one line that says why not.

$MailTypes = @('order.created', 'payment.succeeded', 'shipping.dispatched')

function Complete-Checkout($ProductId) {
    $null = Invoke-Shop DELETE '/cart/v1/cart' -Token $CustomerToken
    $item = @{ product_id = $ProductId; qty = 2 }
    $path = '/cart/v1/cart/items'
    $cart = (Invoke-Shop POST $path -Token $CustomerToken -Body $item -Expect 201).Json
    Write-Ok "cart: 2 x $ProductTitle, $(Format-Money $cart)"
    $address = @{
        address_line1 = '1 Demo Street'
        address_line2 = ''
        city = 'Dublin'
        country = 'IE'
        postcode = 'D01XYZ'
    }
    $path = '/order/v1/orders/checkout'
    $order = (Invoke-Shop POST $path -Token $CustomerToken -Body $address -Expect 201).Json
    Write-Ok "order $($order.order_id) is $($order.status), $(Format-Money $order)"
    $shipment = Wait-For { Find-Shipment $order.order_id } 'no shipment draft'
    Write-Ok "shipment $($shipment.id) is $($shipment.status)"
    return $order
}

function Complete-Payment($Order) {
    $payment = @{
        order_id = $Order.order_id
        amount_cents = $Order.total_cents
        currency = $Order.currency
    }
    $path = '/payment/v1/payments/mock-succeed'
    $paid = (Invoke-Shop POST $path -Token $CustomerToken -Body $payment -Expect 201).Json
    Write-Ok "payment $($paid.id) is $($paid.status)"
}

function Complete-Shipping($OrderId) {
    $shipment = Wait-For { Find-Shipment $OrderId 'READY_TO_SHIP' } 'not READY_TO_SHIP'
    Write-Ok "shipment $($shipment.id) is READY_TO_SHIP"
    $path = "/shipping/v1/shipments/$($shipment.id)/dispatch"
    $sent = (Invoke-Shop POST $path -Token $AdminToken).Json
    Write-Ok "$($sent.status) by $($sent.carrier), tracking $($sent.tracking_number)"
    $null = Wait-For { Test-Shipped $OrderId } 'order not SHIPPED'
    Write-Ok "order $OrderId is SHIPPED"
}

function Show-Mails($OrderId) {
    # Waits for the order's mails, and prints the last few of all.
    $subjects = @(Wait-For { Get-SentSubjects $OrderId } 'not all three mails are sent')
    $mails = @(Wait-For { Find-ArrivedMails $subjects } 'MailHog has not got all mails')
    foreach ($mail in ($mails | Select-Object -First 5)) {
        Write-Ok "to $($mail.Recipient): $($mail.Subject)"
    }
}

function Find-Shipment($OrderId, [string]$Status = '') {
    $path = "/shipping/v1/shipments?order_id=$OrderId"
    foreach ($shipment in (Invoke-Shop GET $path -Token $CustomerToken).Json) {
        if (-not $Status -or $shipment.status -ceq $Status) {
            return $shipment
        }
    }
}

function Test-Shipped($OrderId) {
    $order = (Invoke-Shop GET "/order/v1/orders/$OrderId" -Token $CustomerToken).Json
    return ($order.status -ceq 'SHIPPED')
}

function Get-SentSubjects($OrderId) {
    # The subjects of the order's mails, once Notifications has sent them all.
    $path = '/notifications/v1/notifications?limit=20'
    $ours = @()
    foreach ($item in (Invoke-Shop GET $path -Token $CustomerToken).Json.items) {
        if ($item.order_id -eq $OrderId -and $item.sent_at) {
            $ours += $item
        }
    }
    $types = @($ours | ForEach-Object { $_.type })
    foreach ($type in $MailTypes) {
        if ($types -notcontains $type) {
            return
        }
    }
    foreach ($item in $ours) {
        ($item.subject -replace '\s+', ' ').Trim()
    }
}

function Find-ArrivedMails([string[]]$Subjects) {
    $mails = @(Get-Mails)
    $there = @()
    foreach ($mail in $mails) {
        if ($mail.Recipient -ceq $CustomerEmail) {
            $there += $mail.Subject
        }
    }
    foreach ($subject in $Subjects) {
        if ($there -cnotcontains $subject) {
            return
        }
    }
    return $mails
}

function Format-Money($Thing) {
    $amount = [decimal]$Thing.total_cents / 100
    $invariant = [System.Globalization.CultureInfo]::InvariantCulture
    return ('{0} {1}' -f $amount.ToString('0.00', $invariant), $Thing.currency)
}
