"""What a search costs beside its trainings, and how the cost grows."""
