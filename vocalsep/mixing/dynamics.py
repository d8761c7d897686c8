"""Compression and saturation, as in music production."""

from __future__ import annotations

import numpy as np
import scipy.signal

from .levels import SILENT_RMS, rms

Range = tuple[float, float]
BLOCK = 64


def compress(
    audio: np.ndarray,
    sample_rate: int,
    rng: np.random.Generator,
    *,
    threshold_db: Range = (-18.0, 0.0),
    ratio: Range = (1.5, 6.0),
    release_s: Range = (0.03, 0.3),
) -> np.ndarray:
    """Compress the dynamic range, then restore the overall level.

    Parameters
    ----------
    audio : ndarray (channels, samples), float32
    sample_rate : int
        Hz.
    rng : numpy.random.Generator
    threshold_db : tuple of float
        Range of the threshold, relative to the audio's own RMS.
    ratio : tuple of float
        Range of the ratio of levels in to levels out, above the threshold.
    release_s : tuple of float
        Range of the time constant of the gain in seconds.

    Returns
    -------
    ndarray of the same shape; the same gain for all channels
    """
    threshold, slope = rng.uniform(*threshold_db), 1 - 1 / rng.uniform(*ratio)
    release = rng.uniform(*release_s)
    level = rms(audio)
    if level < SILENT_RMS:
        return audio.copy()
    samples = audio.shape[1]
    blocks = -(-samples // BLOCK)
    power = np.zeros(blocks * BLOCK)
    power[:samples] = np.square(audio).mean(axis=0)
    envelope = power.reshape(blocks, BLOCK).mean(axis=1)
    # A one-pole filter, initialised with the level of the first block.
    keep = np.exp(-BLOCK / sample_rate / release)
    envelope = scipy.signal.lfilter([1 - keep], [1, -keep], envelope, zi=[keep * envelope[0]])[0]
    over_db = 10 * np.log10(np.maximum(envelope, 1e-12) / level**2) - threshold
    gain = 10 ** (-slope * np.maximum(over_db, 0) / 20)
    centres = (np.arange(blocks) + 0.5) * BLOCK
    smooth = np.interp(np.arange(samples), centres, gain).astype(np.float32)
    return _restored(audio * smooth, level)


def saturate(
    audio: np.ndarray, sample_rate: int, rng: np.random.Generator, *, drive_db: Range = (0.0, 12.0)
) -> np.ndarray:
    """Round off the peaks with a hyperbolic tangent and restore the level.

    Parameters
    ----------
    audio : ndarray (channels, samples), float32
    sample_rate : int
        Not used.
    rng : numpy.random.Generator
    drive_db : tuple of float
        Range of the gain in dB before the curve, from an RMS 15 dB below its bend.

    Returns
    -------
    ndarray of the same shape
    """
    drive = 10 ** ((rng.uniform(*drive_db) - 15) / 20)
    level = rms(audio)
    if level < SILENT_RMS:
        return audio.copy()
    return _restored(np.tanh(audio * np.float32(drive / level)), level)


def _restored(audio: np.ndarray, level: float) -> np.ndarray:
    current = rms(audio)
    return (audio * np.float32(level / current) if current > 0 else audio).astype(np.float32)
