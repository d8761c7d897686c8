"""Signals, threads, processes, atomic files, locks, progress bars and figures."""
