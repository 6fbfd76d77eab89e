"""A study shown in MLflow."""
