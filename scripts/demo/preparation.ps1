# What must be there before an order: two accounts, and a product in stock. Makes what is missing
# and goes on with what the last run left.

$AdminEmail = 'admin@example.com'
$CustomerEmail = 'customer@example.com'
$Password = 'demo-password'
$CategoryName = 'Demo category'
$ProductTitle = 'Demo product'
$ProductSku = 'DEMO-1'

function Get-Token([string]$Email, [string]$Role) {
    $account = @{ email = $Email; password = $Password; role = $Role }
    $isAdmin = $Role -eq 'admin'
    $answer = Invoke-Shop POST '/auth/register' -Body $account -Internal:$isAdmin -Expect 201, 409
    if (-not (Test-Taken $answer)) {
        Write-Ok "registered $Role $Email"
    }
    $credentials = @{ email = $Email; password = $Password }
    $token = (Invoke-Shop POST '/auth/login' -Body $credentials).Json.access_token
    $found = (Invoke-Shop GET '/auth/me' -Token $token).Json.role
    if ($found -ne $Role) {
        Stop-Demo "$Email is registered as $found, not as $Role"
    }
    Write-Ok "logged in as $Role $Email"
    return $token
}

function Get-StockedProduct {
    # The id of a product that is in stock.
    $categoryId = Get-CategoryId
    $productId = Get-ProductId $categoryId
    $restock = @{ items = @(@{ product_id = $productId; qty = 10 }) }
    $path = '/catalog/v1/inventory/restock'
    $answer = Invoke-Shop POST $path -Token $AdminToken -Internal -Body $restock
    $line = $answer.Json.items | Select-Object -First 1
    Write-Ok "restocked by 10: $($line.available) available"
    return $productId
}

function Get-CategoryId {
    $category = @{ name = $CategoryName }
    $path = '/catalog/v1/categories/'
    $answer = Invoke-Shop POST $path -Token $AdminToken -Body $category -Expect 201, 409
    if (-not (Test-Taken $answer)) {
        Write-Ok "created category '$CategoryName'"
        return $answer.Json.id
    }
    $categories = (Invoke-Shop GET '/catalog/v1/categories').Json
    return (Select-Id $categories 'name' $CategoryName)
}

function Get-ProductId($CategoryId) {
    $product = @{
        title = $ProductTitle
        description = 'What the demo buys'
        price_cents = 1999
        currency = 'USD'
        sku = $ProductSku
        category_id = $CategoryId
        active = $true
    }
    $path = '/catalog/v1/products/'
    $answer = Invoke-Shop POST $path -Token $AdminToken -Body $product -Expect 201, 409
    if (-not (Test-Taken $answer)) {
        Write-Ok "created product '$ProductTitle' ($ProductSku)"
        return $answer.Json.id
    }
    $title = [Uri]::EscapeDataString($ProductTitle)
    $path = "/catalog/v1/products?q=$title&sort=created&limit=100"
    return (Select-Id (Invoke-Shop GET $path).Json.items 'sku' $ProductSku)
}

function Select-Id($Items, [string]$Key, [string]$Wanted) {
    foreach ($item in $Items) {
        if ((Get-Field $item $Key) -ceq $Wanted) {
            Write-Ok "going on with the $Key '$Wanted' that is there"
            return $item.id
        }
    }
    Stop-Demo "the $Key '$Wanted' is taken, but no active one is listed"
}
