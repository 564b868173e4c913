"""The Order service."""
