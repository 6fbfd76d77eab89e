"""`python -m benchmarks.goals`."""

from benchmarks.goals.measure import main

main()
