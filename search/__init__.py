"""Which recipes were tried, and which points to keep: the only rooms that know Ray, Optuna and MLflow."""
