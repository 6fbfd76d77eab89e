"""A paper's study: tables filled from the study's record, claims judged, and both written down."""
