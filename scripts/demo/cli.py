"""`python scripts/run_demo.py`."""

import argparse

from ..console import GREEN, Console
from ..stacks import (
    DOCKER_GATEWAY,
    DOCKER_MAILHOG,
    Target,
    docker_target,
    local_target,
    web_address,
)
from .flow import Flow
from .preparation import Preparation
from .shop import Shop


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="run_demo.py",
        description="One order from cart to doorstep, through the gateway. Safe to run again.",
    )
    root.add_argument(
        "--local",
        action="store_true",
        help="use the local stack; when none is up, start one and stop it afterwards",
    )
    root.add_argument(
        "--base", type=web_address, metavar="URL", help=f"the gateway (default: {DOCKER_GATEWAY})"
    )
    root.add_argument(
        "--mailhog", type=web_address, metavar="URL", help=f"MailHog (default: {DOCKER_MAILHOG})"
    )
    return root


def main(console: Console) -> int:
    commands = parser()
    asked = commands.parse_args()
    if asked.local and (asked.base or asked.mailhog):
        commands.error("--local knows its own URLs; leave out --base and --mailhog")
    if asked.local:
        with local_target(console) as target:
            run(target, console)
    else:
        run(docker_target(asked.base, asked.mailhog), console)
    return 0


def run(target: Target, console: Console) -> None:
    shop = Shop(target, console)
    with shop.http:
        shop.wait_until_up()
        preparation = Preparation(shop, console)
        admin, customer = preparation.accounts()
        product_id = preparation.product(admin)
        flow = Flow(shop, console, admin=admin, customer=customer)
        order = flow.check_out(product_id)
        flow.pay(order)
        flow.ship(order["order_id"])
        flow.mails(order["order_id"])
    console.show(console.paint("=== DEMO COMPLETE ===", GREEN))
