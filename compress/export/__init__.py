"""Export of a stored model: formats, card, evaluation, and loading without the project."""
