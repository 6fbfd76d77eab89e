"""Which model to ship within a budget."""
