"""Architectures trained alike and put on one table."""
