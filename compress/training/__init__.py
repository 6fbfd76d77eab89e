"""Training: its settings, the only loop, optimizers, checkpoints, and a moving average of the weights."""
