"""One shop and its users, upgraded rung by rung: the spine of the path."""
