"""Use cases, by noun: products, stock, reservations, images."""
