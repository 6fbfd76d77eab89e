"""What a compressed model is and how to make one: recipes, stages, methods, the store. Needs torch alone."""
