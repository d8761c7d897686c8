"""Stems that add up: the accompaniment is the mixture less the vocals, down to the last bit of the written format."""

from __future__ import annotations

import numpy as np

# Sums of so many bits are exact in 32-bit floats, with room to spare.
NARROW_BITS = 16


def exact_accompaniment(
    mixture: np.ndarray, vocals: np.ndarray, bits: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return vocals and accompaniment that sum to the mixture.

    For an integer format both are put on its grid first, so that their integers sum to the mixture's. Where a stem
    would leave full scale although the mixture does not, the excess moves to the other stem: both then stay in range
    and still sum to the mixture, which scaling them would not.

    Parameters
    ----------
    mixture, vocals : ndarray (channels, samples)
    bits : int or None
        Bits of the integer format to be written, None for floating point.

    Returns
    -------
    vocals, accompaniment : ndarray (channels, samples)
        In the dtype of `mixture` where that is exact: always for floating point.
    """
    if bits is None:
        vocals = vocals.astype(mixture.dtype, copy=False)
        return vocals, mixture - vocals
    # 24-bit sums fit a 32-bit float only just; 64 bits keep every step exact.
    dtype = mixture.dtype if bits <= NARROW_BITS else np.dtype(np.float64)
    scale = dtype.type(2 ** (bits - 1))
    whole = np.clip(np.rint(mixture.astype(dtype, copy=False) * scale), -scale, scale - 1)
    voice = np.rint(vocals.astype(dtype, copy=False) * scale)
    voice = np.clip(voice, np.maximum(-scale, whole - (scale - 1)), np.minimum(scale - 1, whole + scale))
    return voice / scale, (whole - voice) / scale
