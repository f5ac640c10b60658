"""Tabular learners: one number for every state and action, one readable file each; what they share is in `core.py`."""
