"""Stores of models, by the hash of everything a model depends on."""
