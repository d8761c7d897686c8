"""Training examples from clean stems: pure augmentations, and the recipe that puts them together."""
