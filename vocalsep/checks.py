"""Checks of single values in configurations."""

from __future__ import annotations

from typing import Any

from .errors import ModelError

# Most samples in a tile of a waveform network.
LONGEST_TILE = 1 << 24


def whole_number(name: str, value: Any, low: int, high: int) -> None:
    """Raise ModelError unless `value` is a whole number from `low` to `high`."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ModelError(f"{name} must be a whole number from {low} to {high}, not {value!r}")


def number(name: str, value: Any, low: float, high: float) -> None:
    """Raise ModelError unless `value` is a number from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ModelError(f"{name} must be a number from {low} to {high}, not {value!r}")
