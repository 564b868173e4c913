"""The Shipping service."""
