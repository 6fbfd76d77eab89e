"""Goals other than accuracy: distillers and pruners in mean absolute error, fidelity to an outside network, speed."""
