"""The pole and the pendulum."""
