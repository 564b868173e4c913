"""The Payment service."""
