"""Every method against its own baseline."""
