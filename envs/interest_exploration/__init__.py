"""RecSim's users of two hidden kinds."""
