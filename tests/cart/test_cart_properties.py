"""A cart's arithmetic, whatever the order of the steps."""

from uuid import uuid4

import hypothesis
import hypothesis.strategies as st
import pytest

from tests.cart.doors import ITEMS, Internal, Json, lines
from tests.support.market import Market

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "set", "remove", "buy"]), st.integers(0, 2), st.integers(1, 9)
    ),
    max_size=8,
)


def test_a_cart_is_what_was_done_to_it(
    market: Market, stack: Json, request: pytest.FixtureRequest
) -> None:
    """Against a plain dictionary, whatever the order of the steps."""
    runner = request.getfixturevalue("_session_scoped_runner")
    products = runner.run(_make_three(market))

    @hypothesis.settings(max_examples=12, database=None)
    @hypothesis.given(STEPS)
    def check(steps: list[tuple[str, int, int]]) -> None:
        runner.run(_play(market, stack, products, steps))

    check()


async def _make_three(market: Market) -> list[Json]:
    return [await market.make_product() for _ in range(3)]


async def _play(
    market: Market, stack: Json, products: list[Json], steps: list[tuple[str, int, int]]
) -> None:
    buyer = await market.new_customer()
    internal = Internal(market, stack, buyer)
    model: dict[int, int] = {}
    for step, index, qty in steps:
        id_ = products[index]["id"]
        if step == "add":
            await market.add_to_cart(buyer, products[index], qty)
            model[id_] = model.get(id_, 0) + qty
        elif step == "set":
            await buyer.request("PATCH", f"{ITEMS}/{id_}", json={"qty": qty})
            model |= {id_: qty} if id_ in model else {}
        elif step == "remove":
            await buyer.request("DELETE", f"{ITEMS}/{id_}")
            model.pop(id_, None)
        else:
            token = (await internal.get())["checkout_token"] or uuid4().hex
            await internal.check_out(token, {id_: qty})
            model[id_] = model.get(id_, 0) - qty
        model = {key: value for key, value in model.items() if value > 0}
        assert await lines(buyer) == model
