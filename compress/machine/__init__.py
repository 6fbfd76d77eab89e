"""The machine a process runs on: CPUs, memory, numerics of a GPU."""
