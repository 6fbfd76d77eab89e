"""How a model leaves: exported, verified in a new process, registered."""
