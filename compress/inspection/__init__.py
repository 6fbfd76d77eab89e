"""What a stored network is like: robustness, speed by batch size, layers, attention maps."""
