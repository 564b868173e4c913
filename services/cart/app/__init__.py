"""The Cart service."""
