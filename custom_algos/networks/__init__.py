"""Networks, their heads and encoders, and how they are saved."""
