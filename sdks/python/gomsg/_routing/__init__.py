"""Which node takes which call."""
