"""Visits and the days between them: a click, or a user who comes back."""
