"""Compare architectures that are trained on the same data for the same time."""
