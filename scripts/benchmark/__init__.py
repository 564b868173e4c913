"""Measures the main job through the gateway: orders from cart to doorstep."""
