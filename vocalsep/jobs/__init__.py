"""From what the user names to output files: inputs, jobs, rendering, batches, process pools, Ray and remote files."""
