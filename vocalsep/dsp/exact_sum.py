"""Stems that sum to the mixture exactly, in the sample format in which they are written."""

from __future__ import annotations

import numpy as np

# The stems that a mixture is separated into.
STEMS = ("vocals", "accompaniment")

# Up to this many bits, sums are exact in 32-bit floats.
NARROW_BITS = 16


def exact_accompaniment(
    mixture: np.ndarray, vocals: np.ndarray, bits: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return vocals and accompaniment that sum to the mixture, see `exact_parts`, (channels, samples) each."""
    voice, rest = exact_parts(mixture, vocals[None], bits)
    return voice, rest


def exact_parts(whole: np.ndarray, estimates: np.ndarray, bits: int | None = None) -> list[np.ndarray]:
    """Return parts of a signal, and last what remains of it; together they sum to the signal.

    For an integer format, all are quantised first, so that their integers sum to the signal's. If a part or the rest
    would exceed full scale although the signal does not, the excess is moved to the others: all then stay in range and
    still sum to the signal, unlike clipped or scaled parts.

    Parameters
    ----------
    whole : ndarray (channels, samples)
    estimates : ndarray (parts, channels, samples)
    bits : int or None
        Bits of the integer format, None for floating point.

    Returns
    -------
    list of ndarray (channels, samples)
        The parts and the rest, in the dtype of `whole` if that is exact; always for floating point.
    """
    if bits is None:
        parts = [estimate.astype(whole.dtype, copy=False) for estimate in estimates]
        return [*parts, _difference(whole, parts)]
    # 24-bit sums hardly fit 32-bit floats; with 64 bits every step is exact.
    dtype = whole.dtype if bits <= NARROW_BITS else np.dtype(np.float64)
    scale = dtype.type(2 ** (bits - 1))

    def in_range(values: np.ndarray) -> np.ndarray:
        return np.clip(values, -scale, scale - 1)

    total = in_range(np.rint(whole.astype(dtype, copy=False) * scale))
    parts = [in_range(np.rint(estimate.astype(dtype, copy=False) * scale)) for estimate in estimates]
    rest = _difference(total, parts)
    excess = rest - in_range(rest)
    for index, part in enumerate(parts):
        parts[index] = in_range(part + excess)
        excess = excess - (parts[index] - part)
    return [part / scale for part in (*parts, _difference(total, parts))]


def _difference(whole: np.ndarray, parts: list[np.ndarray]) -> np.ndarray:
    for part in parts:
        whole = whole - part
    return whole
