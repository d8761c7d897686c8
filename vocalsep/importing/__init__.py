"""Weights of other systems, read without their frameworks and without running anything."""
