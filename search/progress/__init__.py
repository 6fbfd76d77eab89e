"""Progress of a search: shown in the terminal, and written to MLflow."""
