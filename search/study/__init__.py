"""A study as recorded: ledger, points and fronts."""
