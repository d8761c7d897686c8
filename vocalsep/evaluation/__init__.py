"""Evaluation: standard scores, oracle masks as upper bounds, and a report."""
