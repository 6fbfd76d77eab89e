"""Run a search, from its settings to the last point."""
