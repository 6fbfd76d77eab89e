"""Latency of a model in the form that ships, on a target: measured alone, or foreseen from blocks measured once."""
