"""The machine a process runs on: CPUs, memory, how a GPU computes."""
