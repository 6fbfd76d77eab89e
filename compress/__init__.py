"""Compressed models and how to make them: recipes, stages, methods, the store. Needs torch alone."""
