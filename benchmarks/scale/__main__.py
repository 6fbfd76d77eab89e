"""`python -m benchmarks.scale`."""

from benchmarks.scale.scale import main

main()
