"""The Auth service."""
