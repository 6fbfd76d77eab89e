"""The papers' studies carried out here: the small scale whole, the published scale as a trial run, a row on a card."""
