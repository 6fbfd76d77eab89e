"""Begin a search: checks, the space, trainings, the first trials; take a study up again, with more seeds."""
