"""Checks of single values in configurations."""

from __future__ import annotations

import reprlib
from typing import Any

from .errors import ModelError

# Most samples in a tile of a waveform network.
LONGEST_TILE = 1 << 24
# What Python raises where a value from a file has another type or size than the code expects.
VALUE_ERRORS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def shown(value: Any) -> str:
    """Return a value as text for a message: a file can hold texts, lists and numbers of any length."""
    try:
        return reprlib.repr(value)
    except ValueError:
        # Python refuses to write numbers of thousands of digits.
        return "a number of very many digits"


def whole_number(name: str, value: Any, low: int, high: int) -> None:
    """Raise ModelError unless `value` is a whole number from `low` to `high`."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ModelError(f"{name} must be a whole number from {low} to {high}, not {shown(value)}")


def number(name: str, value: Any, low: float, high: float) -> None:
    """Raise ModelError unless `value` is a number from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ModelError(f"{name} must be a number from {low} to {high}, not {shown(value)}")
