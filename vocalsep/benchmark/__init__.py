"""How fast this machine separates, and where the time goes."""
