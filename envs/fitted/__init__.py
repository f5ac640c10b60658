"""Users fitted to a log."""
