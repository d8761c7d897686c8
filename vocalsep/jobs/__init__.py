"""From what the user names to output files: inputs, jobs, rendering, batches, process pools, Ray, remote files."""
