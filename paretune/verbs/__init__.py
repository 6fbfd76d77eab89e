"""The verbs as Python functions."""
