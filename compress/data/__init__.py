"""Images with labels, in three splits."""
