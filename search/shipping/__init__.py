"""Shipping of a model: export, verification in a new process, registration."""
