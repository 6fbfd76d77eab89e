"""How soon a search finds what there is to find, against others."""
