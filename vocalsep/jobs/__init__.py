"""From what the user names to output files: inputs, one song, a batch, process pools, Ray, remote paths."""
