"""What is true of a study: its ledger, its points, its fronts."""
