"""Bandits: every step is an episode of its own."""
