"""Shared by all services."""
