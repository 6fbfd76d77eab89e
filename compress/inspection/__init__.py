"""Properties of a stored network: robustness, speed by batch size, layers, attention maps."""
