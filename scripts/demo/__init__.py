"""The end-to-end demo: one order from cart to doorstep."""
