"""RecSim's chocolate and kale: satisfaction in the long run."""
