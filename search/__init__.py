"""Search over recipes and choice of models: the only rooms that import Ray, Optuna and MLflow."""
