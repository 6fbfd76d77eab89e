"""`python -m benchmarks.methods`."""

from benchmarks.methods.compare import main

main()
