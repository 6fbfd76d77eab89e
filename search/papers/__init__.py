"""A paper's study: its tables filled from a study's record, its claims judged, and all of it written down."""
