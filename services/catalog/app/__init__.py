"""The Catalog service."""
