"""Slates of a shop small enough to be solved exactly."""
