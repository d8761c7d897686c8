"""Training: data, losses, the training loop, and the folder of a run."""
