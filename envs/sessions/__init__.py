"""Users whose interest in a session must be found out."""
