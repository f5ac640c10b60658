"""Testbeds where every step is a decision of its own."""
