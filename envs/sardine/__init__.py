"""SARDINE's users, who get bored of what they click."""
