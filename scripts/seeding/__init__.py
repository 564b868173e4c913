"""The migrations of all services, as `scripts/seed.py` runs them."""
