"""Loads many orders into the databases of a stack, as if they had gone through it long ago."""
