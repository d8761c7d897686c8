"""Simulated visitors of one studio, and the checks of its answers."""
