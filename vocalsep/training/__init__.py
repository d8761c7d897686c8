"""Training: examples made on the fly, losses, the loop, and the folder that a run lives in."""
