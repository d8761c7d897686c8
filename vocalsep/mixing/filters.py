"""Equalisation with random filters."""

from __future__ import annotations

import numpy as np
import scipy.fft

Range = tuple[float, float]
FIR_TAPS = 1023


def equalise(
    audio: np.ndarray,
    sample_rate: int,
    rng: np.random.Generator,
    *,
    bands: tuple[int, int] = (1, 4),
    gain_db: Range = (-6.0, 6.0),
    hertz: Range = (60.0, 12000.0),
    octaves: Range = (0.5, 2.5),
) -> np.ndarray:
    """Boost and cut a few random bands.

    Parameters
    ----------
    audio : ndarray (channels, samples), float32
    sample_rate : int
        Hz.
    rng : numpy.random.Generator
    bands : tuple of int
        Fewest and most bands.
    gain_db, hertz, octaves : tuple of float
        Ranges of each band's gain, centre (drawn evenly over octaves) and width.

    Returns
    -------
    ndarray of the same shape
    """
    count = int(rng.integers(bands[0], bands[1] + 1))
    centres = np.exp(rng.uniform(np.log(hertz[0]), np.log(hertz[1]), count))
    gains, widths = rng.uniform(*gain_db, count), rng.uniform(*octaves, count)
    return apply_response(audio, sample_rate, centres, gains, widths)


def apply_response(
    audio: np.ndarray, sample_rate: int, centres: np.ndarray, gains_db: np.ndarray, widths: np.ndarray
) -> np.ndarray:
    """Apply peaking filters, bell-shaped on a logarithmic frequency axis.

    Parameters
    ----------
    audio : ndarray (channels, samples), float32
    sample_rate : int
        Hz.
    centres, gains_db, widths : ndarray (bands,)
        Each bell's centre in Hz, gain in dB, and width in octaves.

    Returns
    -------
    ndarray of the same shape, in phase with `audio`
    """
    samples = audio.shape[1]
    # The filter is circular: excerpts are cut from longer sounds, so their ends do not matter.
    size = scipy.fft.next_fast_len(samples + FIR_TAPS, real=True)
    frequencies = np.maximum(np.fft.rfftfreq(size, 1 / sample_rate), 1.0)
    octave = np.log2(frequencies)
    response = np.zeros_like(octave)
    for centre, gain, width in zip(centres, gains_db, widths, strict=True):
        response += gain * np.exp(-0.5 * ((octave - np.log2(centre)) / (width / 2.355)) ** 2)
    factor = (10 ** (response / 20)).astype(np.float32)
    filtered = scipy.fft.irfft(scipy.fft.rfft(audio, size, axis=1) * factor, size, axis=1)
    return np.ascontiguousarray(filtered[:, :samples], dtype=np.float32)
