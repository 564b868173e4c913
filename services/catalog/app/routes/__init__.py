"""The public API, as `/catalog/...` through the gateway."""

from . import categories, images, inventory, products

routers = [products.router, images.router, inventory.router, categories.router]
