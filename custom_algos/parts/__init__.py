"""Small named mathematics: returns, exploration, replay, slates; each tested against numbers done by hand."""
