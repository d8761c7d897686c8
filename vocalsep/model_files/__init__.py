"""Model files: find, read, write, average and import them."""
