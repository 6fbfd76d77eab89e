"""A stored model in the formats in which it is taken away."""
