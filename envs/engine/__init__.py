"""What every user model stands on: the batch, its clock and coins, choice, slates, exact planning."""
