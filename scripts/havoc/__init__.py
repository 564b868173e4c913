"""Breaks a stack on purpose while customers shop, and finds what they lost by it."""
