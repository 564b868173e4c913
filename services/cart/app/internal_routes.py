"""What Order needs of a cart: its lines and token at checkout, and to take out what was bought."""

from libs.routing import service_router
from libs.security import InternalKey
from libs.types import PathId

from . import service
from .models import Cart
from .schemas import CheckedOut, CheckoutCart, CheckoutLine
from .store import CartStoreDep

router = service_router(
    prefix="/internal/carts/{user_id}", dependencies=[InternalKey], include_in_schema=False
)


@router.get("")
async def get_cart(user_id: PathId, carts: CartStoreDep) -> CheckoutCart:
    return _checkout_cart(await carts.get(user_id))


@router.post("/checked-out")
async def check_out(user_id: PathId, done: CheckedOut, carts: CartStoreDep) -> CheckoutCart:
    return _checkout_cart(await service.check_out(carts, done, user_id=user_id))


def _checkout_cart(cart: Cart) -> CheckoutCart:
    items = [CheckoutLine(product_id=id_, qty=qty) for id_, qty in cart.lines.items()]
    return CheckoutCart(checkout_token=cart.checkout_token, items=items)
