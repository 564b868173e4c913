"""Use cases: show a cart, add, set, remove, clear, and take out what was bought.

Catalog is asked before a cart is changed, so a 503 means that nothing was.
"""

from .clients import CatalogClient, Product, Products
from .exceptions import CartFull, OtherCurrency, ProductNotFound
from .models import MAX_LINES, Cart
from .schemas import CartRead, CheckedOut, ItemRead
from .store import CartStore


async def get_cart(carts: CartStore, catalog: CatalogClient, *, user_id: int) -> CartRead:
    return await _show(await carts.get(user_id), catalog, {})


async def add_item(
    carts: CartStore, catalog: CatalogClient, *, user_id: int, product_id: int, qty: int
) -> CartRead:
    cart = await carts.get(user_id)
    check_room(cart, product_id)
    known = await catalog.find_products({*cart.lines, product_id})
    product = check_addable(cart, known, product_id)
    changed = await carts.add(
        user_id, product_id, qty, currency=product.currency, seen=cart.currency
    )
    return await _show(changed, catalog, known)


async def set_quantity(
    carts: CartStore, catalog: CatalogClient, *, user_id: int, product_id: int, qty: int
) -> CartRead:
    known = await catalog.find_products((await carts.get(user_id)).lines)
    return await _show(await carts.set_quantity(user_id, product_id, qty), catalog, known)


async def remove_item(
    carts: CartStore, catalog: CatalogClient, *, user_id: int, product_id: int
) -> CartRead:
    known = await catalog.find_products((await carts.get(user_id)).lines)
    return await _show(await carts.remove(user_id, product_id), catalog, known)


async def clear_cart(carts: CartStore, *, user_id: int) -> CartRead:
    await carts.clear(user_id)
    return CartRead(items=[], total_cents=0, currency=None)


async def check_out(carts: CartStore, done: CheckedOut, *, user_id: int) -> Cart:
    """Idempotent: the token is renewed, so the same call again changes nothing."""
    bought: dict[int, int] = {}
    for line in done.items:
        bought[line.product_id] = bought.get(line.product_id, 0) + line.qty
    return await carts.check_out(user_id, done.checkout_token, bought)


def check_room(cart: Cart, product_id: int) -> None:
    """Catalog answers for as many products as a cart can hold, so a full one is refused first."""
    if len(cart.lines) >= MAX_LINES and product_id not in cart.lines:
        raise CartFull(f"A cart holds {MAX_LINES} different products at most.")


def check_addable(cart: Cart, known: Products, product_id: int) -> Product:
    """The product, when it is sold and its currency is that of the cart's products today."""
    product = known[product_id]
    if product is None or not product.active:
        raise ProductNotFound(f"There is no product {product_id} on sale.")
    held = {line.currency for id_ in cart.lines if (line := known[id_])}
    if others := held - {product.currency}:
        raise OtherCurrency(
            f"Your cart holds products in {', '.join(sorted(others))}, and "
            f"{product.title!r} costs {product.currency}; check out or empty the cart first."
        )
    return product


async def _show(cart: Cart, catalog: CatalogClient, known: Products) -> CartRead:
    """The cart at today's prices; products that came in meanwhile are looked up too."""
    if missing := cart.lines.keys() - known.keys():
        known = {**known, **await catalog.find_products(missing)}
    currency = _currency(cart, known)
    items = [_item(id_, qty, known[id_], currency or "") for id_, qty in cart.lines.items()]
    total = sum(item.qty * item.unit_price_cents for item in items if item.currency == currency)
    return CartRead(items=items, total_cents=total, currency=currency)


def _currency(cart: Cart, known: Products) -> str | None:
    """What the products cost in today, if that is one currency; else the one they came in with.

    Catalog may have changed a product's currency since; checkout refuses a mixed cart.
    """
    today = {product.currency for id_ in cart.lines if (product := known[id_])}
    return today.pop() if len(today) == 1 else cart.currency


def _item(product_id: int, qty: int, product: Product | None, currency: str) -> ItemRead:
    """A product that Catalog has forgotten stays in sight, so that it can be removed."""
    if product is None:
        title = f"Product {product_id} (no longer sold)"
        product = Product(
            id=product_id, title=title, price_cents=0, currency=currency, active=False
        )
    return ItemRead(
        product_id=product_id,
        title=product.title,
        qty=qty,
        unit_price_cents=product.price_cents,
        currency=product.currency,
        active=product.active,
    )
