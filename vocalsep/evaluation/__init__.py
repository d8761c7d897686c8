"""Evaluation: scores as papers print them, oracles to hold them against, and a report to look at."""
