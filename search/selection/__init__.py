"""Selection of the model to ship within a budget."""
