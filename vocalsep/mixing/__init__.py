"""Mix training examples from clean stems: augmentations, and the recipe that combines them."""
