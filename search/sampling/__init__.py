"""Choice of the next recipe: Optuna's samplers and our own acquisition function."""
