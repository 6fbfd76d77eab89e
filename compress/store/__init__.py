"""Where models are kept, by the hash of everything that led to them."""
