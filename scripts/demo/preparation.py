"""What must be there before an order: two accounts, and a product in stock."""

from typing import Any

import httpx

from .steps import Steps

ADMIN, CUSTOMER = "admin@example.com", "customer@example.com"
PASSWORD = "demo-password"
CATEGORY, TITLE, SKU = "Demo category", "Demo product", "DEMO-1"


class Preparation(Steps):
    """Makes what is missing and goes on with what the last run left."""

    def accounts(self) -> tuple[str, str]:
        """The tokens of the admin and the customer."""
        self.begin("1. Accounts")
        return self._sign_in(ADMIN, role="admin"), self._sign_in(CUSTOMER, role="customer")

    def _sign_in(self, email: str, *, role: str) -> str:
        account = {"email": email, "password": PASSWORD, "role": role}
        answer = self.shop.call(
            "POST", "/auth/register", json=account, internal=role == "admin", expect=(201, 409)
        )
        if not self.note_if_taken(answer):
            self.say(f"registered {role} {email}")
        credentials = {"email": email, "password": PASSWORD}
        token: str = self.shop.call("POST", "/auth/login", json=credentials).json()["access_token"]
        found = self.shop.call("GET", "/auth/me", token=token).json()["role"]
        if found != role:
            raise self.shop.failed(f"{email} is registered as {found}, not as {role}")
        self.say(f"logged in as {role} {email}")
        return token

    def product(self, admin: str) -> int:
        """The id of a product that is in stock."""
        self.begin("2. Product")
        product_id = self._product(admin, self._category(admin))
        answer = self.shop.call(
            "POST",
            "/catalog/v1/inventory/restock",
            token=admin,
            internal=True,
            json={"items": [{"product_id": product_id, "qty": 10}]},
        )
        self.say(f"restocked by 10: {answer.json()['items'][0]['available']} available")
        return product_id

    def _category(self, admin: str) -> int:
        answer = self._create(admin, "/catalog/v1/categories/", {"name": CATEGORY})
        if not self.note_if_taken(answer):
            self.say(f"created category {CATEGORY!r}")
            return int(answer.json()["id"])
        categories = self.shop.call("GET", "/catalog/v1/categories").json()
        return self._the_one(categories, "name", CATEGORY)

    def _product(self, admin: str, category_id: int) -> int:
        product = {
            "title": TITLE,
            "description": "What the demo buys",
            "price_cents": 1999,
            "currency": "USD",
            "sku": SKU,
            "category_id": category_id,
            "active": True,
        }
        answer = self._create(admin, "/catalog/v1/products/", product)
        if not self.note_if_taken(answer):
            self.say(f"created product {TITLE!r} ({SKU})")
            return int(answer.json()["id"])
        query = {"q": TITLE, "sort": "created", "limit": 100}
        found = self.shop.call("GET", "/catalog/v1/products", params=query).json()["items"]
        return self._the_one(found, "sku", SKU)

    def _create(self, admin: str, path: str, body: dict[str, Any]) -> httpx.Response:
        return self.shop.call("POST", path, token=admin, json=body, expect=(201, 409))

    def _the_one(self, found: list[dict[str, Any]], key: str, wanted: str) -> int:
        for item in found:
            if item.get(key) == wanted:
                self.say(f"going on with the {key} {wanted!r} that is there")
                return int(item["id"])
        raise self.shop.failed(f"the {key} {wanted!r} is taken, but no active one is listed")
