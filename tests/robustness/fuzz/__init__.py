"""Damaged and hostile inputs, and a harness that watches what becomes of each."""

import pathlib
import sys

# The shared helpers, also where pytest does not set the path: in scripts and in child processes.
TESTS = pathlib.Path(__file__).resolve().parents[2]
sys.path += [str(folder) for folder in (TESTS, TESTS / "unit") if str(folder) not in sys.path]
