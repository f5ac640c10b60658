"""RecSim's users whose interests follow what they watch."""
