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
    """Return vocals and accompaniment that sum to the mixture.

    For an integer format, all are quantised first, so that their integers sum to the mixture's. If a stem would exceed
    full scale although the mixture does not, the excess is moved to the other stem: both then stay in range and still
    sum to the mixture, unlike clipped or scaled stems.

    Parameters
    ----------
    mixture, vocals : ndarray (channels, samples)
    bits : int or None
        Bits of the integer format, None for floating point.

    Returns
    -------
    vocals, accompaniment : ndarray (channels, samples)
        In the dtype of `mixture` if that is exact; always for floating point.
    """
    if bits is None:
        vocals = vocals.astype(mixture.dtype, copy=False)
        return vocals, mixture - vocals
    # 24-bit sums hardly fit 32-bit floats; with 64 bits every step is exact.
    dtype = mixture.dtype if bits <= NARROW_BITS else np.dtype(np.float64)
    scale = dtype.type(2 ** (bits - 1))
    whole = np.clip(np.rint(mixture.astype(dtype, copy=False) * scale), -scale, scale - 1)
    voice = np.rint(vocals.astype(dtype, copy=False) * scale)
    voice = np.clip(voice, np.maximum(-scale, whole - (scale - 1)), np.minimum(scale - 1, whole + scale))
    return voice / scale, (whole - voice) / scale
