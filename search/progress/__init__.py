"""How a search is followed: progress and notes in the terminal, MLflow beside it."""
