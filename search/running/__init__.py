"""How a search is run, from what is asked for to the last point."""
