"""What the seven services share: no business rule lives here, and no service is imported."""
